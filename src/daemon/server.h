/* The control socket on the loop: unix:///path or tcp://127.0.0.1:port, bounded clients. */
#pragma once

#include <culvert/vici.h>
#include "io/sock.h"
#include <uv.h>

struct server;

typedef void server_gone(void *ctx, struct vici_client *client);
/* err->text says what is wrong: bad URI, no rights, another daemon listens there. */
struct server *server_open(uv_loop_t *loop, const char *uri, struct vici_server *vici,
                           server_gone *gone, void *ctx, struct io_error *err) must_use;
void server_close(struct server *s); /* closes all; run the loop, then server_free */
void server_free(struct server *s);
