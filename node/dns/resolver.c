/*
 * The life of a question: made by its asker, posted to the resolver's loop, where it waits in the list of a
 * lookup, posted back with its answer, freed there. `is_returned` and `is_cancelled`, under the lock, say who
 * frees one that is cancelled: the resolver before it is posted back, the asker's loop after.
 *
 * A lookup is under way (`answer` is NULL) or known. Known ones are what is kept, the least used first in
 * `known`. Both are in `lookups`, by type and name.
 */
#include "dns/resolver.h"

#include "dns/context.h"
#include "io/random.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/table.h"

#include <signal.h>
#include <unbound.h>

enum {
	CLASS_IN = 1,
	LOOKUP_MS_MAX = 60000,
	KEEP_FOUND_S = 3600,
	KEEP_ABSENT_S = 300,
	KEEP_FAILED_S = 2, /* enough for those who ask at the same moment */
};

struct resolver {
	struct loop loop;
	pthread_t thread;
	struct handle_group handles;
	uv_poll_t poll;
	struct ub_ctx *ctx;
	struct table lookups;
	struct list known;
	size_t known_count, asked_count;
	size_t known_max, asked_max;
	uint64_t timeout_ms;
	pthread_mutex_t lock;
};

struct lookup {
	struct resolver *resolver;
	struct span key; /* two bytes of the type, then the name in small letters */
	int id;          /* libunbound's */
	struct loop_timer patience;
	struct list waiters;
	struct dns_answer *answer;
	struct list link; /* in resolver->known */
	uint64_t until_ms;
};

struct dns_question {
	struct loop_msg msg;
	struct resolver *resolver;
	struct dns_asker asker;
	enum dns_type type;
	char *name;
	struct list link; /* in lookup->waiters */
	struct loop_timer deadline;
	struct dns_answer *answer;
	bool is_returned, is_cancelled; /* under resolver->lock */
};

/* --- questions ---------------------------------------------------------------------------------- */

static void question_free(struct dns_question *question)
{
	dns_answer_unref(&question->answer);
	mem_free(question->name);
	mem_free(question);
}

/* On the asker's loop, the only one that cancels. */
static void on_return(void *arg)
{
	struct dns_question *question = arg;

	if (!question->is_cancelled)
		question->asker.fn(question->asker.arg, question->answer);
	question_free(question);
}

/* `answer` is moved. */
static void return_question(struct dns_question *question, struct dns_answer *answer)
{
	struct resolver *resolver = question->resolver;
	bool is_cancelled;

	loop_timer_cancel(&resolver->loop, &question->deadline);
	list_remove(&question->link);
	question->answer = answer;
	pthread_mutex_lock(&resolver->lock);
	is_cancelled = question->is_cancelled;
	if (!is_cancelled) {
		question->is_returned = true;
		loop_msg_init(&question->msg, on_return, question);
		/* Under the lock: once it is cancelled, the asker's loop may be gone. */
		loop_post(question->asker.loop, &question->msg);
	}
	pthread_mutex_unlock(&resolver->lock);
	if (is_cancelled)
		question_free(question);
}

static void on_deadline(void *arg)
{
	return_question(arg, dns_answer_of_failure(DNS_TIMEOUT, "the DNS did not answer in time"));
}

/* --- lookups ------------------------------------------------------------------------------------ */

static void lookup_free(struct lookup *lookup)
{
	struct resolver *resolver = lookup->resolver;

	CHECK(list_is_empty(&lookup->waiters));
	if (lookup->answer)
		resolver->known_count--;
	else
		resolver->asked_count--;
	list_remove(&lookup->link);
	loop_timer_cancel(&resolver->loop, &lookup->patience);
	table_remove(&resolver->lookups, lookup->key);
	dns_answer_unref(&lookup->answer);
	mem_free((char *)lookup->key.ptr);
	mem_free(lookup);
}

static uint64_t keep_ms(const struct dns_answer *answer)
{
	uint32_t most_s = answer->status == DNS_OK ? KEEP_FOUND_S : KEEP_ABSENT_S;

	if (answer->status == DNS_SERVFAIL || answer->status == DNS_TIMEOUT)
		return KEEP_FAILED_S * 1000u;
	return (answer->ttl_s < most_s ? answer->ttl_s : most_s) * 1000ull;
}

/* `answer` is moved. The lookup may be gone afterwards. */
static void settle(struct lookup *lookup, struct dns_answer *answer)
{
	struct resolver *resolver = lookup->resolver;

	LIST_EACH_SAFE(it, &lookup->waiters)
	return_question(LIST_ENTRY(it, struct dns_question, link), dns_answer_ref(answer));
	loop_timer_cancel(&resolver->loop, &lookup->patience);
	lookup->answer = answer;
	lookup->until_ms = loop_now_ms(&resolver->loop) + keep_ms(answer);
	list_push_back(&resolver->known, &lookup->link);
	resolver->asked_count--;
	resolver->known_count++;
	if (resolver->known_count > resolver->known_max)
		lookup_free(LIST_FIRST(&resolver->known, struct lookup, link));
}

static void on_result(void *arg, int rc, struct ub_result *result)
{
	settle(arg, rc ? dns_answer_of_failure(DNS_SERVFAIL, ub_strerror(rc)) : dns_answer_of_result(result));
	ub_resolve_free(result);
}

/* Nobody waits any more: each who did had a deadline of its own. */
static void on_patience(void *arg)
{
	struct lookup *lookup = arg;

	(void)ub_cancel(lookup->resolver->ctx, lookup->id);
	settle(lookup, dns_answer_of_failure(DNS_TIMEOUT, "the DNS did not answer in time"));
}

static struct span make_key(const struct dns_question *question)
{
	size_t len = strlen(question->name);
	char *key = mem_alloc(len + 2);

	key[0] = (char)(question->type >> 8);
	key[1] = (char)question->type;
	for (size_t i = 0; i < len; i++)
		key[i + 2] = ascii_lower(question->name[i]);
	return span_of(key, len + 2);
}

/* `key` is moved, on an error too. Returns what libunbound says. */
static int lookup_start(struct resolver *resolver, const struct dns_question *question, struct span key,
	struct lookup **lookup_out)
{
	struct lookup *lookup = mem_zalloc(sizeof(*lookup));
	int rc;

	lookup->resolver = resolver;
	lookup->key = key;
	list_init(&lookup->waiters);
	list_init(&lookup->link);
	loop_timer_init(&lookup->patience, on_patience, lookup);
	table_put(&resolver->lookups, key, lookup);
	resolver->asked_count++;
	rc = ub_resolve_async(
		resolver->ctx, question->name, (int)question->type, CLASS_IN, lookup, on_result, &lookup->id);
	if (rc) {
		lookup_free(lookup);
		return rc;
	}
	loop_timer_set(&resolver->loop, &lookup->patience, LOOKUP_MS_MAX);
	*lookup_out = lookup;
	return 0;
}

/* NULL: there is none, or its time is over. */
static struct lookup *find_lookup(struct resolver *resolver, struct span key)
{
	struct lookup *lookup = table_get(&resolver->lookups, key);

	if (lookup && lookup->answer && lookup->until_ms <= loop_now_ms(&resolver->loop)) {
		lookup_free(lookup);
		return NULL;
	}
	return lookup;
}

static void wait_for(struct lookup *lookup, struct dns_question *question)
{
	list_push_back(&lookup->waiters, &question->link);
	loop_timer_set(&question->resolver->loop, &question->deadline, question->asker.timeout_ms);
}

static void on_question(void *arg)
{
	struct dns_question *question = arg;
	struct resolver *resolver = question->resolver;
	struct span key = make_key(question);
	struct lookup *lookup = find_lookup(resolver, key);
	int rc;

	if (lookup) {
		mem_free((char *)key.ptr);
		if (!lookup->answer) {
			wait_for(lookup, question);
			return;
		}
		list_remove(&lookup->link);
		list_push_back(&resolver->known, &lookup->link);
		return_question(question, dns_answer_ref(lookup->answer));
		return;
	}
	if (resolver->asked_count >= resolver->asked_max) {
		mem_free((char *)key.ptr);
		return_question(question,
			dns_answer_of_failure(DNS_SERVFAIL, "too many questions to the DNS at once"));
		return;
	}
	rc = lookup_start(resolver, question, key, &lookup);
	if (rc)
		return_question(question, dns_answer_of_failure(DNS_SERVFAIL, ub_strerror(rc)));
	else
		wait_for(lookup, question);
}

/* --- the asker's side --------------------------------------------------------------------------- */

struct dns_question *resolver_ask(
	struct resolver *resolver, const char *name, enum dns_type type, const struct dns_asker *asker)
{
	struct dns_question *question = mem_zalloc(sizeof(*question));

	question->resolver = resolver;
	question->asker = *asker;
	if (!asker->timeout_ms || asker->timeout_ms > resolver->timeout_ms)
		question->asker.timeout_ms = resolver->timeout_ms;
	question->type = type;
	question->name = mem_strdup(name);
	list_init(&question->link);
	loop_timer_init(&question->deadline, on_deadline, question);
	loop_msg_init(&question->msg, on_question, question);
	loop_post(&resolver->loop, &question->msg);
	return question;
}

uint64_t resolver_timeout_ms(const struct resolver *resolver)
{
	return resolver->timeout_ms;
}

void dns_question_cancel(struct dns_question **question)
{
	struct resolver *resolver;

	if (!*question)
		return;
	resolver = (*question)->resolver;
	pthread_mutex_lock(&resolver->lock);
	(*question)->is_cancelled = true;
	pthread_mutex_unlock(&resolver->lock);
	*question = NULL;
}

/* --- start and end ------------------------------------------------------------------------------ */

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct resolver *resolver = poll->data;

	(void)events;
	if (status >= 0)
		(void)ub_process(resolver->ctx);
}

/* On its own thread: handles may be closed there only. */
static void take_apart(struct resolver *resolver)
{
	size_t cursor = 0;
	struct lookup *lookup;

	while ((lookup = table_next(&resolver->lookups, &cursor))) {
		/* All of them are cancelled by now: this frees them. */
		LIST_EACH_SAFE(it, &lookup->waiters)
		return_question(LIST_ENTRY(it, struct dns_question, link),
			dns_answer_of_failure(DNS_SERVFAIL, "the resolver ends"));
		lookup_free(lookup);
	}
	(void)uv_poll_stop(&resolver->poll);
	handle_group_close(&resolver->handles, (uv_handle_t *)&resolver->poll);
	/* Ends libunbound's thread; its callbacks are not called. */
	ub_ctx_delete(resolver->ctx);
	loop_fini(&resolver->loop);
	table_fini(&resolver->lookups);
}

static void *run(void *arg)
{
	struct resolver *resolver = arg;

	loop_run(&resolver->loop);
	take_apart(resolver);
	return NULL;
}

/* Signals are main's. libunbound's thread is started from ours, and has its mask from there. */
static void start_thread(struct resolver *resolver)
{
	sigset_t all, before;

	sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	CHECK(pthread_create(&resolver->thread, NULL, run, resolver) == 0);
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	(void)pthread_setname_np(resolver->thread, "dns");
}

static void init_table(struct table *table)
{
	struct random random;
	uint64_t seed[2];

	random_seed(&random);
	seed[0] = random_u64(&random);
	seed[1] = random_u64(&random);
	table_init(table, seed);
}

struct resolver *resolver_new(const struct settings *settings, struct buf *why_out)
{
	struct ub_ctx *ctx = dns_context_new(settings, why_out);
	struct resolver *resolver;

	if (!ctx)
		return NULL;
	resolver = mem_zalloc(sizeof(*resolver));
	if (loop_init(&resolver->loop)) {
		buf_append_str(why_out, "the resolver's loop cannot be made");
		ub_ctx_delete(ctx);
		mem_free(resolver);
		return NULL;
	}
	resolver->ctx = ctx;
	resolver->known_max = settings->dns.cache;
	resolver->asked_max = settings->dns.questions;
	resolver->timeout_ms = settings->dns.timeout_ms;
	list_init(&resolver->known);
	init_table(&resolver->lookups);
	CHECK(pthread_mutex_init(&resolver->lock, NULL) == 0);
	handle_group_init(&resolver->handles, NULL, NULL);
	CHECK(uv_poll_init(&resolver->loop.uv, &resolver->poll, ub_fd(ctx)) == 0);
	handle_group_add(&resolver->handles);
	resolver->poll.data = resolver;
	CHECK(uv_poll_start(&resolver->poll, UV_READABLE, on_readable) == 0);
	start_thread(resolver);
	return resolver;
}

void resolver_free(struct resolver **resolver)
{
	if (!*resolver)
		return;
	loop_stop(&(*resolver)->loop);
	pthread_join((*resolver)->thread, NULL);
	pthread_mutex_destroy(&(*resolver)->lock);
	mem_free(*resolver);
	*resolver = NULL;
}
