/* date: the date-time of RFC 5322 3.3, and that of RFC 3339 in UTC, by arithmetic alone. */
#ifndef SKEIN_PROTO_MAIL_DATE_H
#define SKEIN_PROTO_MAIL_DATE_H

#include "skein/proto/base/buf.h"

/*
 * Appends "Thu, 21 May 2020 10:00:00 +0200". `offset_min` is east of UTC. Years 1900 to 9999 (RFC 5322 wants
 * 1900 or later and four digits); anything else is taken to the nearest of the two.
 */
void mail_date_append(struct buf *buf, int64_t unix_s, int offset_min);
/* Appends "2020-05-21T08:00:00Z"; the same years. */
void mail_date_append_utc(struct buf *buf, int64_t unix_s);
/* That form, of the same years; a fraction of a second is read over. False: not so, or no such date. */
bool mail_date_parse_utc(struct span text, int64_t *unix_s_out);

#endif
