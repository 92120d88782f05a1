/*
 * journal_driver: a journal's owner for tests, without a loop: appends, and waits for answers with a
 * deadline.
 */
#ifndef TESTS_LIB_JOURNAL_DRIVER_H
#define TESTS_LIB_JOURNAL_DRIVER_H

#include "scratch_dir.h"

#include "custody/journal.h"
#include "custody/record.h"
#include "skein/proto/base/table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { DRIVER_DEADLINE_S = 30, DRIVER_LIVE_MAX = 4096 };

struct driver {
	struct journal *journal;
	struct journal_options options;
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool is_told;
	unsigned answered;
	unsigned by_err[16]; /* answers, by -err */
	/* What the last driver_open() found. */
	size_t found;
	struct msg_id found_ids[DRIVER_LIVE_MAX];
	uint64_t found_sum; /* of id, envelope and body of each, in no order */
	struct buf problem;
};

static inline void driver_notify(void *arg)
{
	struct driver *driver = arg;

	pthread_mutex_lock(&driver->lock);
	driver->is_told = true;
	pthread_cond_signal(&driver->told);
	pthread_mutex_unlock(&driver->lock);
}

static inline void driver_init(struct driver *driver, const char *dir, size_t segment_bytes, size_t bytes_max)
{
	*driver = (struct driver){
		.options = { .dir = dir,
			.segment_bytes = segment_bytes,
			.bytes_max = bytes_max,
			.workers = 1,
			.notify = driver_notify,
			.notify_arg = driver },
	};
	pthread_mutex_init(&driver->lock, NULL);
	pthread_cond_init(&driver->told, NULL);
}

static inline void driver_fini(struct driver *driver)
{
	journal_close(&driver->journal);
	buf_fini(&driver->problem);
	pthread_mutex_destroy(&driver->lock);
	pthread_cond_destroy(&driver->told);
}

/* A fingerprint that can be added up. */
static inline uint64_t driver_sum(const struct msg_id *id, struct span envelope, uint64_t body_sum)
{
	uint64_t seed[2] = { body_sum, record_body_sum(envelope) };

	return siphash13(seed, msg_id_span(id));
}

static inline void driver_each(void *arg, const struct journal_live *live)
{
	struct driver *driver = arg;

	assert_true(driver->found < DRIVER_LIVE_MAX);
	driver->found_ids[driver->found++] = live->id;
	driver->found_sum += driver_sum(&live->id, live->envelope, live->body.checksum);
}

static inline enum err driver_open(struct driver *driver)
{
	driver->found = 0;
	driver->found_sum = 0;
	buf_clear(&driver->problem);
	return journal_open(&driver->options, driver_each, driver, &driver->journal, &driver->problem);
}

static inline void driver_must_open(struct driver *driver)
{
	if (driver_open(driver) != ERR_OK)
		fail_msg("%.*s", SPAN_ARGS(buf_span(&driver->problem)));
}

static inline void driver_reopen(struct driver *driver)
{
	journal_close(&driver->journal);
	driver_must_open(driver);
}

static inline bool driver_found(const struct driver *driver, const struct msg_id *id)
{
	for (size_t i = 0; i < driver->found; i++) {
		if (msg_id_eq(&driver->found_ids[i], id))
			return true;
	}
	return false;
}

static inline void driver_on_done(void *arg, enum err err)
{
	struct driver *driver = arg;

	driver->answered++;
	driver->by_err[-(int)err]++;
}

/* Waits until the journal says that there is something to poll, at most a second; polls. */
static inline void driver_turn(struct driver *driver)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	pthread_mutex_lock(&driver->lock);
	while (!driver->is_told) {
		if (pthread_cond_timedwait(&driver->told, &driver->lock, &until))
			break;
	}
	driver->is_told = false;
	pthread_mutex_unlock(&driver->lock);
	journal_poll(driver->journal);
}

static inline void driver_wait(struct driver *driver, unsigned answered)
{
	time_t deadline = time(NULL) + DRIVER_DEADLINE_S;

	while (driver->answered < answered) {
		assert_true(time(NULL) < deadline);
		driver_turn(driver);
	}
	assert_int_equal(driver->answered, answered);
}

static inline struct msg_id driver_id(unsigned number)
{
	return msg_id_make(1700000000000 + number, number % 64, number);
}

static inline struct journal_body driver_body(struct span bytes)
{
	return (struct journal_body){ JOURNAL_BODY_INLINE, bytes, bytes.len, record_body_sum(bytes) };
}

/* The spans are borrowed until the answer. */
static inline void driver_message(
	struct driver *driver, unsigned number, struct span envelope, struct span body)
{
	struct journal_entry entry = { .type = JOURNAL_MESSAGE,
		.id = driver_id(number),
		.envelope = envelope,
		.body = driver_body(body) };

	journal_append(driver->journal, &entry, driver_on_done, driver);
}

static inline void driver_update(struct driver *driver, unsigned number, struct span envelope)
{
	struct journal_entry entry = {
		.type = JOURNAL_UPDATE, .id = driver_id(number), .envelope = envelope
	};

	journal_append(driver->journal, &entry, driver_on_done, driver);
}

static inline void driver_done(struct driver *driver, unsigned number)
{
	struct journal_entry entry = { .type = JOURNAL_DONE, .id = driver_id(number) };

	journal_append(driver->journal, &entry, driver_on_done, driver);
}

/* Appends one message and waits for its answer. */
static inline enum err driver_try_message(
	struct driver *driver, unsigned number, struct span envelope, struct span body)
{
	unsigned before[16];

	memcpy(before, driver->by_err, sizeof(before));
	driver_message(driver, number, envelope, body);
	driver_wait(driver, driver->answered + 1);
	for (int i = 0; i < 16; i++) {
		if (driver->by_err[i] != before[i])
			return (enum err) - i;
	}
	fail();
	return ERR_OK;
}

#endif
