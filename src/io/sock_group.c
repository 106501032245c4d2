/*
 * Sockets that share a port or a protocol among workers (see sock.h; socket(7): SO_REUSEPORT,
 * SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_FILTER). The programs are classic BPF, which every kernel
 * takes without privileges. A load from behind the end of a packet ends a program with 0.
 */
#include "io/fail.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

#define LOAD_WORD(at)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define LOAD_WORD_X(at) BPF_STMT(BPF_LD | BPF_W | BPF_IND, at)
#define LOAD_LENGTH     BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0)
#define LOAD_BYTE(at)   BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at)
#define ALU(op, k)      BPF_STMT(BPF_ALU | (op) | BPF_K, k)
#define A_TO_X          BPF_STMT(BPF_MISC | BPF_TAX, 0)
#define SUBTRACT_X      BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0)
#define BELOW(k, skip)  BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, k, 0, skip)
#define UNLESS(k, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, skip)
#define IF(k, skip)     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, skip, 0)
#define RETURN(k)       BPF_STMT(BPF_RET | BPF_K, k)
#define RETURN_A        BPF_STMT(BPF_RET | BPF_A, 0)
#define WHOLE           0xffffffff
#define COUNT_OF(a)     ((unsigned short)(sizeof(a) / sizeof *(a)))

err_t sock_share(struct sock *s, struct io_error *err)
{
    int on = 1;
    if (setsockopt(s->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
        return io_fail(err, errno, NULL, "cannot share UDP port %u", s->port);
    return 0;
}

static err_t attach(struct sock *s, int option, struct sock_filter *code, unsigned short n,
                    struct io_error *err)
{
    const struct sock_fprog prog = {.len = n, .filter = code};
    if (setsockopt(s->fd, SOL_SOCKET, option, &prog, sizeof prog) < 0)
        return io_fail(err, errno, NULL, "cannot share packets by their SPI");
    return 0;
}

/* From an SPI to its tag. A shift by 32 is refused, and without tag everything is worker 0's. */
static struct sock_filter to_tag(unsigned tag_bits)
{
    const struct sock_filter none = ALU(BPF_AND, 0), shift = ALU(BPF_RSH, 32 - tag_bits);
    return tag_bits ? shift : none;
}

err_t sock_steer(struct sock *s, unsigned tag_bits, unsigned workers, struct io_error *err)
{
    struct sock_filter code[] = {
        LOAD_WORD(0), /* the SPI, or the marker before IKE */
        IF(0, 4),     to_tag(tag_bits), ALU(BPF_MOD, workers), ALU(BPF_ADD, 1), RETURN_A, RETURN(0),
    };
    return attach(s, SO_ATTACH_REUSEPORT_CBPF, code, COUNT_OF(code), err);
}

/* What is too short for an SPI is worker 0's, who counts it. */
static uint32_t shorts(unsigned worker)
{
    return worker ? 0 : WHOLE;
}

/* raw(7): with the IP header. */
static err_t keep4(struct sock *s, unsigned spi, unsigned tag_bits, unsigned workers,
                   unsigned worker, struct io_error *err)
{
    struct sock_filter code[] = {
        LOAD_BYTE(0),      ALU(BPF_AND, 15),
        ALU(BPF_LSH, 2),   A_TO_X,
        LOAD_LENGTH,       SUBTRACT_X,
        BELOW(spi + 4, 6), LOAD_WORD_X(spi),
        to_tag(tag_bits),  ALU(BPF_MOD, workers),
        UNLESS(worker, 1), RETURN(WHOLE),
        RETURN(0),         RETURN(shorts(worker)),
    };
    return attach(s, SO_ATTACH_FILTER, code, COUNT_OF(code), err);
}

/* RFC 3542 3: without. */
static err_t keep6(struct sock *s, unsigned spi, unsigned tag_bits, unsigned workers,
                   unsigned worker, struct io_error *err)
{
    struct sock_filter code[] = {
        LOAD_LENGTH,
        BELOW(spi + 4, 6),
        LOAD_WORD(spi),
        to_tag(tag_bits),
        ALU(BPF_MOD, workers),
        UNLESS(worker, 1),
        RETURN(WHOLE),
        RETURN(0),
        RETURN(shorts(worker)),
    };
    return attach(s, SO_ATTACH_FILTER, code, COUNT_OF(code), err);
}

err_t sock_keep(struct sock *s, unsigned tag_bits, unsigned workers, unsigned worker,
                struct io_error *err)
{
    unsigned spi = s->kind == SOCK_AH ? 4 : 0; /* RFC 4302 2 */
    return s->family == 4 ? keep4(s, spi, tag_bits, workers, worker, err)
                          : keep6(s, spi, tag_bits, workers, worker, err);
}
