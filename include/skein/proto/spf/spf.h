/*
 * spf: one evaluation of the Sender Policy Framework (RFC 7208, check_host()) as a pure machine. A client's
 * address and names in, questions to the DNS out, at the end a verdict. No resolver, no clock.
 *
 *     check = spf_check_new(&request);
 *     while (spf_check_question(check, &question))
 *             spf_check_answer(check, &answer);    at once or any time later
 *     verdict = spf_check_verdict(check);
 *     spf_check_free(&check);
 *
 * One question is open at a time, and there are at most SPF_QUESTIONS_MAX. The check may be freed while one
 * is open. Time is the caller's: who runs out of it answers SPF_ANSWER_TEMPERROR.
 */
#ifndef SKEIN_PROTO_SPF_SPF_H
#define SKEIN_PROTO_SPF_SPF_H

#include "skein/proto/base/span.h"

enum {
	/* RFC 7208 4.6.4 */
	SPF_DNS_TERMS_MAX = 10,
	SPF_VOID_LOOKUPS_MAX = 2,
	SPF_NAMES_MAX = 10, /* of one MX or PTR answer */

	/* Ours. */
	SPF_RECORD_LEN_MAX = 8192, /* longer is a permerror */
	SPF_TERM_COUNT_MAX = 512,  /* more in one record is a permerror */
	SPF_NAME_LEN_MAX = 253,
	SPF_LOCAL_LEN_MAX = 512,       /* what is longer of a sender's local part is cut off */
	SPF_EXPLANATION_LEN_MAX = 400, /* what is longer is cut off: it must fit into a reply line */
	/* The first record, ten "mx" of ten names each, ten names of the client, an explanation. */
	SPF_QUESTIONS_MAX = 1 + SPF_DNS_TERMS_MAX * (1 + SPF_NAMES_MAX) + 1 + SPF_NAMES_MAX + 1,
};

enum spf_result {
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR,
	SPF_PERMERROR,
};

/* "pass" and so on, as RFC 7208 and Authentication-Results write them. */
const char *spf_result_name(enum spf_result result);

/* Borrowed during spf_check_new(). Domains are in A-labels: one with other bytes than ASCII has no policy. */
struct spf_request {
	uint8_t client[16]; /* network order; IPv4 in the first four. An IPv4-mapped IPv6 address is IPv4 */
	size_t client_len;  /* 4 or 16 */
	struct span helo;   /* as the client wrote it */
	/* local@domain as in MAIL FROM. "": of a report; the sender is then postmaster@helo. */
	struct span mail_from;
	struct span receiver; /* our name, for %{r}; "": "unknown" */
	uint64_t now;         /* seconds since 1970, for %{t} */
};

enum spf_query_type { SPF_QUERY_TXT, SPF_QUERY_A, SPF_QUERY_AAAA, SPF_QUERY_MX, SPF_QUERY_PTR };

/*
 * `name` has no dot at its end, labels of 1 to 63 bytes and at most SPF_NAME_LEN_MAX. Its bytes are printable
 * ASCII or space without a backslash, but not only what host names are made of. Lives until the answer.
 */
struct spf_question {
	enum spf_query_type type;
	struct span name;
};

enum spf_answer_status {
	SPF_ANSWER_RECORDS,
	SPF_ANSWER_NO_DATA,   /* the name exists, such records do not; RECORDS without a record is the same */
	SPF_ANSWER_NXDOMAIN,  /* RCODE 3 */
	SPF_ANSWER_TEMPERROR, /* time out, SERVFAIL and all else */
};

/*
 * `records` are of the asked type only, aliases (CNAME) followed. TXT: the text, its strings joined without a
 * gap. A and AAAA: 4 and 16 bytes in network order. MX: names of the exchanges, best first; PTR: names; a dot
 * at the end is fine, and "." of a null MX too. Borrowed during spf_check_answer().
 */
struct spf_answer {
	enum spf_answer_status status;
	const struct span *records;
	size_t count;
};

/* A place in a record. Spans live as long as the check. */
struct spf_place {
	struct span domain; /* whose record it is; "": no record was read */
	struct span term;   /* as written; "": the record as a whole */
	unsigned number;    /* of the term, from 1; 0: the record as a whole */
};

/*
 * Spans live as long as the check. Domains, terms and problems quote what peers and the DNS said, byte for
 * byte: whoever shows them escapes them.
 */
struct spf_verdict {
	enum spf_result result;
	struct span domain; /* that was checked: of MAIL FROM, or HELO without one */
	/*
	 * Of a fail: what the domain says about it, without a promise that it is true or friendly. Printable
	 * ASCII and spaces, at most SPF_EXPLANATION_LEN_MAX. "": it says nothing, or that could not be had.
	 */
	struct span explanation;
	/* What decided: the term that matched, in the record that redirects led to. Number 0: none did. */
	struct spf_place matched;
	/* Of none, temperror and permerror: a sentence without a dot, and where. "" for other results. */
	struct span problem;
	struct spf_place where;
	unsigned dns_terms;    /* evaluated; above SPF_DNS_TERMS_MAX is the permerror */
	unsigned void_lookups; /* above SPF_VOID_LOOKUPS_MAX is the permerror */
};

/* Whether a TXT record is an SPF record at all: its version, however wrong the rest is. */
bool spf_record_is_one(struct span text);

struct spf_check;

struct spf_check *spf_check_new(const struct spf_request *request);
void spf_check_free(struct spf_check **check);
/* False: there is a verdict. May be called again for the same question. */
bool spf_check_question(const struct spf_check *check, struct spf_question *question_out);
/* Of the open question; without one it aborts. */
void spf_check_answer(struct spf_check *check, const struct spf_answer *answer);
/* While a question is open it aborts. */
const struct spf_verdict *spf_check_verdict(const struct spf_check *check);

#endif
