/*
 * Puts back what others take from us in the kernel: routes of our table, our rules, the guard, what
 * went while a TUN device was down. A few times in a row at once, then once a second, for another
 * program may want the opposite. Called by core.c.
 */
#pragma once

struct core;
struct restore;

struct restore *restore_open(struct core *c); /* NULL: the kernel does not tell; logged */
void restore_close(struct restore *r);        /* then run the loop, then free; NULL is fine */
void restore_free(struct restore *r);
