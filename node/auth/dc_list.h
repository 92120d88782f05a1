/*
 * dc_list: which server of a directory to ask. In the order of the settings, without those that failed
 * lately: one that failed is left alone for a second, doubling to a minute, and then tried by one asker at a
 * time. While none works they are tried again each second. Any thread.
 */
#ifndef NODE_AUTH_DC_LIST_H
#define NODE_AUTH_DC_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DC_MAX = 16 };

struct dc_list;

/* At most DC_MAX. */
struct dc_list *dc_list_new(size_t count);
void dc_list_free(struct dc_list **list);
/*
 * The server to ask next; `*tried` has a bit for each asked already for this question, begins as 0 and is
 * kept by this call. Whoever gets one tells how it went, by one of the two calls below. False: no server is
 * left.
 */
bool dc_list_next(struct dc_list *list, uint64_t now_ms, uint32_t *tried, size_t *index_out);
/* True: it was down, or rested, until now. */
bool dc_list_up(struct dc_list *list, size_t index);
/* True: nobody was told yet that it is down. */
bool dc_list_down(struct dc_list *list, size_t index, uint64_t now_ms);
/* It is left alone in the same way, for what is not its fault. */
void dc_list_rest(struct dc_list *list, size_t index, uint64_t now_ms);

#endif
