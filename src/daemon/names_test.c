/* Host names with a resolver and a clock of our own: who is told when, and what is kept. */
#include "daemon/names.h"
#include "io/clock.h"
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t now_ms = 1000;
static uv_getaddrinfo_t *asked;
static uv_getaddrinfo_cb answer_to;
static size_t told;

uint64_t clock_now_ms(void)
{
    return now_ms;
}

int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb, const char *node,
                   const char *service, const struct addrinfo *hints)
{
    (void)loop;
    (void)service;
    (void)hints;
    assert_string_equal(node, "gw.example");
    assert_null(asked);
    asked = req;
    answer_to = cb;
    return 0;
}

void uv_freeaddrinfo(struct addrinfo *ai)
{
    (void)ai;
}

int uv_cancel(uv_req_t *req)
{
    (void)req;
    return UV_EBUSY;
}

static void ready(void *ctx, const char *host)
{
    (void)ctx;
    assert_string_equal(host, "gw.example");
    told++;
}

/* last 0: no such host. */
static void answer(uint8_t last)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    struct addrinfo ai = {.ai_family = AF_INET, .ai_addr = (struct sockaddr *)&sin};
    uv_getaddrinfo_t *req = asked;
    const uint8_t ip[] = {192, 0, 2, last};
    memcpy(&sin.sin_addr, ip, sizeof ip);
    assert_non_null(req);
    asked = NULL;
    answer_to(req, last ? 0 : UV_EAI_NONAME, last ? &ai : NULL);
}

/* The addresses are asked for again while packets come; only another one is news. What the operator
 * took down must not come up again because an answer was a minute old. */
static void told_of_news_only(void **state)
{
    static const struct {
        uint8_t answer;
        size_t told;
    } steps[] = {{0, 1}, {0, 1}, {7, 2}, {7, 2}, {0, 2}, {7, 2}, {8, 3}, {8, 3}};
    struct addr a;
    (void)state;
    struct names *n = names_new(NULL, ready, NULL);
    told = 0;
    names_want(n, "gw.example");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        answer(steps[i].answer);
        assert_int_equal(told, steps[i].told);
        assert_true(names_known(n, "gw.example"));
        assert_int_equal(names_get(n, "gw.example", 4, &a), i >= 2);
        assert_null(asked); /* fresh */
        now_ms += 61000;
        assert_int_equal(names_get(n, "gw.example", 4, &a), i >= 2);
        assert_non_null(asked);
    }
    assert_int_equal(a.ip[3], 8);
    names_free(n);
    answer(9); /* after the end */
    assert_int_equal(told, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(told_of_news_only)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
