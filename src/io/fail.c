/* Error texts of the io room (see fail.h); called by every file of it. */
#include "io/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

err_t io_fail(struct io_error *err, int e, const char *hint, const char *what, ...)
{
    if (!err)
        return E_SYS;
    va_list ap;
    va_start(ap, what);
    int n = vsnprintf(err->text, sizeof err->text, what, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof err->text)
        return E_SYS;
    snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s%s%s", strerror(e), hint ? ": " : "",
             hint ? hint : "");
    return E_SYS;
}

const char *io_hint_perm(int e, const char *hint)
{
    return e == EPERM || e == EACCES ? hint : NULL;
}
