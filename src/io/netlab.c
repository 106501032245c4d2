/* Namespaces and packets for the tests of this room (see netlab.h). */
#include "io/netlab.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
    perror(what);
    abort();
}

bool lab_allowed(void)
{
    if (geteuid() == 0 && unshare(CLONE_NEWNET) == 0)
        return true;
    fputs("skipped: needs root and network namespaces\n", stderr);
    return false;
}

int lab_ns(void)
{
    if (unshare(CLONE_NEWNET) < 0)
        die("unshare");
    /* Without CLOEXEC: ip reads /proc/PID/fd/N. */
    int fd = open("/proc/self/ns/net", O_RDONLY);
    if (fd < 0)
        die("/proc/self/ns/net");
    lab_run("ip link set lo up");
    /* Link-local addresses would be unusable for a second or two. */
    lab_run("echo 0 2>/dev/null >/proc/sys/net/ipv6/conf/default/accept_dad; true");
    return fd;
}

void lab_enter(int ns)
{
    if (setns(ns, CLONE_NEWNET) < 0)
        die("setns");
}

static void format(char out[1024], const char *fmt, va_list ap)
{
    int n = vsnprintf(out, 1024, fmt, ap);
    if (n < 0 || n >= 1024)
        die("command too long");
}

void lab_run(const char *fmt, ...)
{
    char cmd[1024];
    va_list ap;
    va_start(ap, fmt);
    format(cmd, fmt, ap);
    va_end(ap);
    if (system(cmd) != 0)
        die(cmd);
}

int lab_number(const char *fmt, ...)
{
    char cmd[1024];
    int n = -1;
    va_list ap;
    va_start(ap, fmt);
    format(cmd, fmt, ap);
    va_end(ap);
    FILE *f = popen(cmd, "r");
    if (!f || fscanf(f, "%d", &n) != 1)
        die(cmd);
    pclose(f);
    return n;
}

struct addr lab_addr(const char *text)
{
    struct addr a = {0};
    if (text && !addr_parse(&a, text))
        die(text);
    return a;
}

void lab_mac(const char *ifname, uint8_t mac[6])
{
    char path[64];
    unsigned b[6];
    snprintf(path, sizeof path, "ip -o link show %s", ifname);
    FILE *f = popen(path, "r");
    char line[512] = "";
    if (!f || !fgets(line, sizeof line, f))
        die(path);
    pclose(f);
    const char *p = strstr(line, "link/ether ");
    if (!p || sscanf(p + 11, "%x:%x:%x:%x:%x:%x", b, b + 1, b + 2, b + 3, b + 4, b + 5) != 6)
        die(line);
    for (int i = 0; i < 6; i++)
        mac[i] = (uint8_t)b[i];
}

bool lab_as_nobody(bool (*fn)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
            _exit(2);
        _exit(fn() ? 0 : 1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

bool lab_recv(struct sock *s, struct io_msg *m, uint8_t *buf, size_t cap)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    for (;;) {
        *m = (struct io_msg){.data = buf, .cap = (uint32_t)cap};
        int n = sock_recv(s, m, 1);
        if (n != 0)
            return n == 1;
        if (poll(&p, 1, 2000) != 1)
            return false;
    }
}

bool lab_send(struct sock *s, const char *local, const char *remote, uint16_t port,
              const void *data, size_t n)
{
    struct io_msg m = {.data = (uint8_t *)(uintptr_t)data, .len = (uint32_t)n};
    size_t failed;
    m.local.addr = lab_addr(local);
    m.remote = (struct endpoint){lab_addr(remote), port};
    return sock_send(s, &m, 1, &failed) == 1 && failed == 0;
}

static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += get_u16(p + i);
    if (n & 1)
        sum += (uint32_t)p[n - 1] << 8;
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put_ip_header(uint8_t *out, const struct addr *from, const struct addr *to, size_t udp)
{
    static const uint8_t start4[12] = {0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17};
    static const uint8_t start6[8] = {0x60, 0, 0, 0, 0, 0, 17, 64};
    if (from->family == 4) {
        memcpy(out, start4, 12);
        put_u16(out + 2, (uint16_t)(20 + udp));
        memcpy(out + 12, from->ip, 4);
        memcpy(out + 16, to->ip, 4);
        put_u16(out + 10, fold(sum16(0, out, 20)));
    } else {
        memcpy(out, start6, 8);
        put_u16(out + 4, (uint16_t)udp);
        memcpy(out + 8, from->ip, 16);
        memcpy(out + 24, to->ip, 16);
    }
}

size_t lab_udp_packet(uint8_t *out, const char *from, const char *to, uint16_t port,
                      const void *data, size_t n)
{
    struct addr a = lab_addr(from), b = lab_addr(to);
    size_t header = a.family == 4 ? 20 : 40;
    uint8_t *u = out + header;

    put_ip_header(out, &a, &b, 8 + n);
    put_u16(u, 1234);
    put_u16(u + 2, port);
    put_u16(u + 4, (uint16_t)(8 + n));
    put_u16(u + 6, 0);
    memcpy(u + 8, data, n);
    uint32_t sum = sum16(17 + 8 + (uint32_t)n, a.ip, addr_len(&a));
    sum = sum16(sum, b.ip, addr_len(&b));
    put_u16(u + 6, fold(sum16(sum, u, 8 + n)));
    return header + 8 + n;
}
