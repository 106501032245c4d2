/* Names and texts of errors; the rows are in reason.def. */
#include "base/err.h"

struct row {
    const char *name, *text;
    uint16_t notify2;
};

static const struct row own[] = {
    {"ok", "fine", 0},
    {"no-memory", "out of memory", 0},
    {"system", "a system call failed", 0},
    {"crypto", "the crypto library failed", 0},
    {"space", "output buffer too small", 0},
    {"usage", "called out of order", 0},
    {"not-supported", "not supported here", 0},
    {"again", "nothing to do now", 0},
};

static const struct row reasons[R_COUNT] = {
    [0] = {"ok", "fine", 0},
#define R(n, v2, t) [R_##n] = {#n, t, v2},
#include "base/reason.def"
#undef R
};

static const struct row *row_of(err_t e)
{
    static const struct row unknown = {"unknown", "unknown error", 0};
    if (e > 0)
        return e < R_COUNT ? &reasons[e] : &unknown;
    return -e < (int)(sizeof own / sizeof *own) ? &own[-e] : &unknown;
}

/* reason names are written in the table as C identifiers; made once into "no-proposal" */
const char *err_name(err_t e)
{
    static char names[R_COUNT][24];
    if (e <= 0 || e >= R_COUNT)
        return row_of(e)->name;
    char *out = names[e];
    const char *in = reasons[e].name;
    for (size_t i = 0; i + 1 < sizeof names[0] && in[i]; i++)
        out[i] = in[i] == '_' ? '-' : in[i] >= 'A' && in[i] <= 'Z' ? (char)(in[i] + 32) : in[i];
    return out;
}

const char *err_text(err_t e)
{
    return row_of(e)->text;
}

uint16_t err_notify2(err_t e)
{
    return row_of(e)->notify2;
}
