/* Reading files: see file.h. */
#include "config/file.h"
#include "base/secret.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads until the end or one byte beyond the limit. */
static bool read_all(int fd, size_t max, struct buf *out)
{
    char chunk[16384];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0)
            buf_add(out, chunk, (size_t)n);
        if (n <= 0 || out->err || out->n > max) {
            int saved = errno;
            secret_wipe(chunk, sizeof chunk);
            errno = saved;
            return n >= 0;
        }
    }
}

static bool read_fd(int fd, size_t max, struct buf *out)
{
    bool ok = read_all(fd, max, out);
    int saved = errno;
    close(fd);
    errno = ok && out->n > max ? EFBIG : out->err ? ENOMEM : saved;
    return ok && out->n <= max && !out->err;
}

bool stream_read(const char *path, size_t max, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return fd >= 0 && read_fd(fd, max, out);
}

bool file_read(const char *path, size_t max, struct buf *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return read_fd(fd, max, out);
    close(fd);
    errno = EINVAL;
    return false;
}

void file_wipe(struct buf *b)
{
    if (b->s)
        secret_wipe(b->s, b->cap);
    buf_free(b);
}

static const char *main_file(const struct vnode *n)
{
    while (n->parent)
        n = n->parent;
    return n->value; /* of the root: the names of the files, the main one first */
}

bool is_from_file(const struct vnode *n)
{
    return main_file(n) != NULL;
}

char *file_beside(const struct vnode *n, const char *dir, const char *name)
{
    char *out;
    const char *file = main_file(n), *slash = file ? strrchr(file, '/') : NULL;
    if (name[0] == '/')
        return strdup(name);
    int len = slash ? (int)(slash - file) + 1 : 0;
    return asprintf(&out, "%.*s%s%s%s", len, file ? file : "", dir, *dir ? "/" : "", name) < 0
               ? NULL
               : out;
}
