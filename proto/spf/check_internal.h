/*
 * What the parts of the evaluation share. check.c steers: it holds the questions and the records that are
 * open; check_term.c is the terms, check_client.c the names of the client, check_explain.c the explanation.
 *
 * A stage runs until it has asked or is over. When an answer is noted, the stage runs again from its
 * beginning: what it had found out is in `struct spf_check`, so it comes to its next question or its end.
 */
#ifndef PROTO_SPF_CHECK_INTERNAL_H
#define PROTO_SPF_CHECK_INTERNAL_H

#include "skein/proto/base/arena.h"
#include "skein/proto/base/check.h"
#include "skein/proto/spf/spf.h"
#include "spf/macro_internal.h"
#include "spf/record_internal.h"

/* One record, and each include costs one of the terms that may ask. */
enum { SPF_DEPTH_MAX = 1 + SPF_DNS_TERMS_MAX };

enum check_stage { STAGE_TERM, STAGE_EXPLAIN_NAME, STAGE_EXPLAIN_TEXT, STAGE_DONE };

typedef void check_on_answer_fn(struct spf_check *check, const struct spf_answer *answer);

/* A record that is being evaluated. */
struct check_frame {
	struct span domain;
	struct spf_place origin; /* the term that led here; number 0: the caller did */
	struct spf_record record;
	unsigned next; /* the mechanism that is being evaluated; record.count: past the last */
};

/* What was found out for the term that is being evaluated. */
struct check_progress {
	bool is_counted; /* among the terms that ask */
	bool has_target;
	struct span target;
	bool has_exchanges;
	struct span exchanges[SPF_NAMES_MAX];
	unsigned exchange_count, exchange_next;
};

enum client_name_state { NAME_UNKNOWN, NAME_VALIDATED, NAME_REFUTED };

/* The client's PTR records, and whether each leads back to it. */
struct check_client {
	bool is_known;
	struct span names[SPF_NAMES_MAX];
	enum client_name_state states[SPF_NAMES_MAX];
	unsigned count, asked;
};

struct spf_check {
	struct arena arena;
	struct macro_values values; /* domain and validated: of the last expansion */
	enum check_stage stage;
	struct spf_question question;
	check_on_answer_fn *on_answer; /* NULL: no question is open */
	struct check_frame frames[SPF_DEPTH_MAX];
	unsigned depth;
	struct check_progress progress;
	struct check_client client;
	struct span explanation; /* with its macros */
	struct spf_verdict verdict;
};

static inline struct check_frame *check_top(struct spf_check *check)
{
	CHECK(check->depth > 0);
	return &check->frames[check->depth - 1];
}

/* check.c. `name` lives in the check's arena or is a frame's. */
void check_ask(
	struct spf_check *check, enum spf_query_type type, struct span name, check_on_answer_fn *on_answer);
/* A or AAAA, as the client's address is. */
void check_ask_addresses(struct spf_check *check, struct span name, check_on_answer_fn *on_answer);
/* Of an answer to check_ask_addresses(): whether one of them shares `bits` bits with the client's address. */
bool check_has_client(const struct spf_check *check, const struct spf_answer *answer, unsigned bits);
struct spf_place check_place(struct spf_check *check, const struct spf_term *term);
/* The check ends with an error, whatever record it is in: none, temperror or permerror. */
void check_fail(struct spf_check *check, enum spf_result result, struct spf_place where, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* Goes on in the record of `domain`, in place of the present one or inside it. */
void check_redirect(struct spf_check *check, struct span domain, struct spf_place origin);
void check_include(struct spf_check *check, struct span domain, struct spf_place origin);
/* The present record came to a result that is no error; one that included it goes on. */
void check_leave(struct spf_check *check, enum spf_result result);
void check_next_term(struct spf_check *check);
/* False: it asked, come again. */
WARN_UNUSED bool check_expand_name(struct spf_check *check, struct span spec, struct span *name_out);

/* check_term.c */
void check_run_term(struct spf_check *check);

/* check_client.c: how near the client's validated name must be to a domain. */
enum client_name_rank { RANK_EQUAL, RANK_WITHIN, RANK_ANY };

/* The nearest of the client's validated names, "": none. False: it asked, come again. */
WARN_UNUSED bool check_find_client_name(
	struct spf_check *check, struct span domain, enum client_name_rank furthest, struct span *name_out);

/* check_explain.c */
void check_run_explain_name(struct spf_check *check);
void check_run_explain_text(struct spf_check *check);

#endif
