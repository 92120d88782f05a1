/*
 * Power loss at every batch. Whatever is in the queue when the power goes, what comes back must be the state
 * after some prefix of the appended entries, and that prefix must hold everything that was answered.
 */
#include "disk_fault.h"
#include "journal_driver.h"

#include "skein/proto/base/alloc.h"

enum {
	SEGMENT = 32 << 10,
	STEPS = 900,
	IDS = 40,
	IMAGES_MAX = 40,
	FIRST_IMAGES = 10,
	BODY_MAX = 3000,
};

struct step {
	enum journal_type type;
	unsigned id;
	char envelope[24];
	struct span body;
};

struct image {
	struct scratch_dir dir;
	unsigned answered, appended; /* when the power went */
};

static struct {
	uint64_t seed, disk_seed; /* of the owner, of the journal's thread */
	struct scratch_dir root, journal;
	struct step steps[STEPS];
	uint64_t state_after[STEPS + 1]; /* fingerprint of what is live after so many steps */
	char text[BODY_MAX + 256];
	atomic_uint answered, appended;
	struct image images[IMAGES_MAX];
	unsigned image_count;
	unsigned one_in; /* syncs that become an image */
	unsigned image_limit;
} world;

static unsigned draw(uint64_t *seed, unsigned limit)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (unsigned)(*seed % limit);
}

static unsigned below(unsigned limit)
{
	return draw(&world.seed, limit);
}

/* Mostly short lives, some long ones, so that segments are reused and sparse ones written anew. */
static void plan(void)
{
	uint64_t sums[IDS] = { 0 }, bodies[IDS] = { 0 }, total = 0;
	bool live[IDS] = { false };

	for (size_t i = 0; i < sizeof(world.text); i++)
		world.text[i] = (char)below(256);
	for (unsigned i = 0; i < STEPS; i++) {
		struct step *step = &world.steps[i];
		struct msg_id id;

		step->id = below(8) ? below(IDS - 4) : IDS - 4 + below(4);
		id = driver_id(step->id);
		step->type = JOURNAL_MESSAGE;
		if (live[step->id])
			step->type = below(3) && step->id < IDS - 4 ? JOURNAL_DONE : JOURNAL_UPDATE;
		else if (!below(20))
			step->type = below(2) ? JOURNAL_DONE : JOURNAL_UPDATE;
		snprintf(step->envelope, sizeof(step->envelope), "envelope of step %u", i);
		step->body = span_of(world.text + below(256), below(BODY_MAX));

		total -= sums[step->id];
		if (step->type == JOURNAL_MESSAGE)
			bodies[step->id] = record_body_sum(step->body);
		if (step->type == JOURNAL_MESSAGE || (step->type == JOURNAL_UPDATE && live[step->id]))
			sums[step->id] = driver_sum(&id, span_of_str(step->envelope), bodies[step->id]);
		else if (step->type == JOURNAL_DONE)
			sums[step->id] = 0;
		live[step->id] = sums[step->id] != 0;
		total += sums[step->id];
		world.state_after[i + 1] = total;
	}
}

/* In the journal's thread, with written but not durable data about. */
static void take_image(void)
{
	static const unsigned keeps[] = { 0, 20, 128, 236, 256 };
	struct image *image = &world.images[world.image_count];
	char name[16];

	if (world.image_count == world.image_limit || draw(&world.disk_seed, world.one_in))
		return;
	/* `answered` first: what is answered later may, or may not, be in the image. */
	image->answered = atomic_load(&world.answered);
	snprintf(name, sizeof(name), "image%u", world.image_count);
	image->dir = scratch_path(&world.root, name);
	disk_copy_after_power_loss(world.journal.path, image->dir.path,
		keeps[draw(&world.disk_seed, ARRAY_LEN(keeps))], &world.disk_seed);
	image->appended = atomic_load(&world.appended);
	world.image_count++;
}

static void on_step_done(void *arg, enum err err)
{
	(void)arg;
	assert_true(err == ERR_OK || err == ERR_NOT_FOUND);
	atomic_fetch_add(&world.answered, 1);
}

static void append_step(struct journal *journal, unsigned number)
{
	struct step *step = &world.steps[number];
	struct journal_entry entry = { .type = step->type, .id = driver_id(step->id) };

	if (step->type != JOURNAL_DONE)
		entry.envelope = span_of_str(step->envelope);
	if (step->type == JOURNAL_MESSAGE)
		entry.body = driver_body(step->body);
	atomic_fetch_add(&world.appended, 1); /* before: the thread may be quicker than we are */
	journal_append(journal, &entry, on_step_done, NULL);
}

static struct journal_stats live_through_it(struct driver *driver)
{
	struct journal_stats stats;
	time_t deadline = time(NULL) + DRIVER_DEADLINE_S;

	driver_must_open(driver);
	for (unsigned i = 0; i < STEPS; i++) {
		append_step(driver->journal, i);
		while (below(4) == 0 && atomic_load(&world.answered) < i + 1) {
			assert_true(time(NULL) < deadline);
			driver_turn(driver);
		}
	}
	while (atomic_load(&world.answered) < STEPS)
		driver_turn(driver);
	journal_stats(driver->journal, &stats);
	journal_close(&driver->journal);
	return stats;
}

/* The bodies, too: replay compares the checksum of the whole record. */
static void expect_a_prefix(const struct image *image, const struct driver *driver)
{
	for (unsigned i = image->answered; i <= image->appended; i++) {
		if (world.state_after[i] == driver->found_sum)
			return;
	}
	fail_msg("%s: no state between %u answered and %u appended", image->dir.path, image->answered,
		image->appended);
}

static void open_image(const struct image *image, struct driver *driver)
{
	driver_init(driver, image->dir.path, SEGMENT, 64 * SEGMENT);
	driver_must_open(driver);
	expect_a_prefix(image, driver);
}

static void reset_world(uint64_t seed)
{
	memset(&world, 0, sizeof(world));
	world.seed = world.disk_seed = seed;
	world.root = scratch_make();
	world.journal = scratch_path(&world.root, "0");
	world.one_in = 4;
	world.image_limit = IMAGES_MAX;
	plan();
}

static void after_power_loss_all_that_was_answered_is_there(void **state)
{
	struct driver *driver = mem_zalloc(sizeof(*driver));

	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct journal_stats stats;

		reset_world(seed * 0x9e3779b97f4a7c15u);
		driver_init(driver, world.journal.path, SEGMENT, 64 * SEGMENT);
		disk_remember_from(world.journal.path);
		disk.before_sync = take_image;
		stats = live_through_it(driver);
		/* Segments were reused and written anew, or this would prove little. */
		assert_true(stats.bytes > 2 * stats.disk_bytes && stats.moved_bytes > 0);
		disk.before_sync = NULL;
		disk_forget();
		driver_must_open(driver);
		assert_true(driver->found_sum == world.state_after[STEPS]);
		driver_fini(driver);
		assert_int_equal(world.image_count, IMAGES_MAX);
		for (unsigned i = 0; i < world.image_count; i++) {
			open_image(&world.images[i], driver);
			/* And again: what the first start did must not change what the second finds. */
			driver_reopen(driver);
			expect_a_prefix(&world.images[i], driver);
			driver_fini(driver);
		}
		scratch_remove(&world.root);
	}
	mem_free(driver);
}

static void power_may_fail_again_while_the_log_is_replayed(void **state)
{
	struct driver *driver = mem_zalloc(sizeof(*driver));

	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		reset_world(seed * 0xd1342543de82ef95u);
		driver_init(driver, world.journal.path, SEGMENT, 64 * SEGMENT);
		disk_remember_from(world.journal.path);
		disk.before_sync = take_image;
		world.image_limit = FIRST_IMAGES;
		(void)live_through_it(driver);
		driver_fini(driver);
		assert_int_equal(world.image_count, FIRST_IMAGES);
		world.image_limit = IMAGES_MAX;
		world.one_in = 2;
		for (unsigned i = 0; i < FIRST_IMAGES; i++) {
			unsigned before = world.image_count;

			disk_remember_from(world.images[i].dir.path);
			world.journal = world.images[i].dir;
			atomic_store(&world.answered, world.images[i].answered);
			atomic_store(&world.appended, world.images[i].appended);
			disk.before_sync = take_image;
			open_image(&world.images[i], driver);
			journal_close(&driver->journal);
			disk.before_sync = NULL;
			driver_fini(driver);
			for (unsigned k = before; k < world.image_count; k++) {
				open_image(&world.images[k], driver);
				driver_fini(driver);
			}
		}
		disk_forget();
		scratch_remove(&world.root);
	}
	mem_free(driver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_power_loss_all_that_was_answered_is_there),
		cmocka_unit_test(power_may_fail_again_while_the_log_is_replayed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
