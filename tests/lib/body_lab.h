/* A loop and a body store in a scratch folder, for tests of what reads bodies. */
#ifndef TESTS_BODY_LAB_H
#define TESTS_BODY_LAB_H

#include "cmocka_all.h"

#include "loop_until.h"
#include "scratch_dir.h"

#include "custody/body.h"
#include "custody/budget.h"

enum { BODY_LAB_MEMORY_MAX = 64 << 10, BODY_LAB_BUDGET = 64 << 20 };

struct body_lab {
	struct scratch_dir dir;
	struct loop loop;
	struct body_store *store;
	struct budget budget;
};

static inline void body_lab_open(struct body_lab *lab)
{
	struct body_store_options options;

	lab->dir = scratch_make();
	assert_int_equal(loop_init(&lab->loop), ERR_OK);
	budget_init(&lab->budget, BODY_LAB_BUDGET, 80);
	options = (struct body_store_options){ .loop = &lab->loop.uv,
		.dir = lab->dir.path,
		.budget = &lab->budget,
		.memory_max = BODY_LAB_MEMORY_MAX };
	lab->store = body_store_new(&options);
}

/* Every body is gone. */
static inline void body_lab_close(struct body_lab *lab)
{
	/* Files are being removed. */
	RUN_UNTIL(&lab->loop, lab->loop.uv.active_reqs.count == 0);
	assert_int_equal(budget_used(&lab->budget), 0);
	body_store_free(&lab->store);
	loop_fini(&lab->loop);
	scratch_remove(&lab->dir);
}

static inline void body_lab_sealed(void *arg, enum err err)
{
	assert_int_equal(err, ERR_OK);
	*(bool *)arg = true;
}

/* Sealed. */
static inline struct body *body_lab_body(struct body_lab *lab, const struct msg_id *id, struct span text)
{
	struct body *body = body_new(lab->store, id, 0);
	bool is_sealed = false;

	(void)body_append(body, text);
	if (!body_seal(body, body_lab_sealed, &is_sealed))
		RUN_UNTIL(&lab->loop, is_sealed);
	return body;
}

#endif
