/*
 * Happy path: look → what Redis has is opened and used → when a turn is due: seal the next set → write → use
 * it. A write that another node was faster with, or whose answer is lost, is forgotten: the next look tells.
 */
#include "run/ticket_keeper.h"

#include "io/random.h"
#include "skein/proto/base/alloc.h"

#include <openssl/rand.h>

struct ticket_keeper {
	struct ticket_keeper_options options;
	struct loop_timer timer;
	struct random random;
	struct ticket_set known;   /* of the cluster; serial 0: none */
	uint64_t known_turned_ms;  /* loop_boottime_ms() when it was turned */
	struct ticket_set written; /* while the answer is awaited */
	uint64_t written_turned_ms;
	uint64_t own_turned_ms;
	uint64_t unreadable; /* serial that we have complained of */
	bool is_asking;
};

/* What the sealed text is for, so that no other can take its place. */
static const struct secret_label label = { { "tickets", 7 }, { "keys", 4 } };

static void look(void *arg);

struct ticket_keeper *ticket_keeper_new(const struct ticket_keeper_options *options)
{
	struct ticket_keeper *keeper = mem_zalloc(sizeof(*keeper));

	keeper->options = *options;
	keeper->own_turned_ms = loop_boottime_ms();
	random_seed(&keeper->random);
	loop_timer_init(&keeper->timer, look, keeper);
	ticket_keeper_poke(keeper);
	return keeper;
}

void ticket_keeper_free(struct ticket_keeper **keeper)
{
	CHECK(!(*keeper)->is_asking);
	loop_timer_cancel((*keeper)->options.loop, &(*keeper)->timer);
	mem_wipe(*keeper, sizeof(**keeper));
	mem_free(*keeper);
	*keeper = NULL;
}

void ticket_keeper_poke(struct ticket_keeper *keeper)
{
	loop_timer_set(keeper->options.loop, &keeper->timer, 0);
}

void ticket_keeper_set_lifetime(struct ticket_keeper *keeper, uint64_t lifetime_ms)
{
	keeper->options.lifetime_ms = lifetime_ms;
	ticket_keeper_poke(keeper);
}

/* ---- keys of our own ---- */

static bool is_shared(const struct ticket_keeper *keeper)
{
	return keeper->options.link && keeper->options.keys;
}

static void turn_own(struct ticket_keeper *keeper)
{
	uint64_t now_ms = loop_boottime_ms();

	if (keeper->known.serial || now_ms - keeper->own_turned_ms < keeper->options.lifetime_ms / 2)
		return;
	keeper->own_turned_ms = now_ms;
	tls_tickets_turn(keeper->options.tickets);
}

/* ---- the cluster's ---- */

static void use(struct ticket_keeper *keeper, const struct ticket_set *set)
{
	keeper->known = *set;
	tls_tickets_set_keys(keeper->options.tickets, set);
	log_event(keeper->options.log, LOG_INFO, "ticket-keys", LOG_U64("serial", set->serial), LOG_END);
}

static void complain_once(struct ticket_keeper *keeper, uint64_t serial)
{
	if (keeper->unreadable == serial)
		return;
	keeper->unreadable = serial;
	log_event(keeper->options.log, LOG_WARN, "ticket-keys-unreadable", LOG_U64("serial", serial),
		LOG_STR("cure",
			"cluster.key_file must be the same on all nodes: clients of this one make full "
			"handshakes"),
		LOG_END);
}

static bool open_set(
	const struct ticket_keeper *keeper, const struct ticket_store *store, struct ticket_set *set)
{
	struct buf text = { 0 };
	bool is_open = store->serial &&
		       secret_open(keeper->options.keys, label, store->sealed, &text) == SECRET_OPENED &&
		       ticket_set_decode(set, buf_span(&text), store->serial);

	secret_text_wipe(&text);
	return is_open;
}

static void on_written(void *arg, const struct outcome *outcome)
{
	struct ticket_keeper *keeper = arg;

	keeper->is_asking = false;
	if (outcome_is_ok(outcome)) {
		keeper->known_turned_ms = keeper->written_turned_ms;
		use(keeper, &keeper->written);
	}
	mem_wipe(&keeper->written, sizeof(keeper->written));
}

static void write_set(struct ticket_keeper *keeper, uint64_t replaces, uint64_t age_ms)
{
	unsigned char text[TICKET_SET_TEXT_LEN];
	struct ticket_keys_write args = {
		.replaces = replaces, .serial = keeper->written.serial, .age_ms = age_ms
	};
	uint64_t now_ms = loop_boottime_ms();
	unsigned char nonce[SECRET_NONCE_LEN];
	struct buf sealed = { 0 };

	keeper->written_turned_ms = now_ms - age_ms;
	ticket_set_encode(&keeper->written, text);
	CHECK(RAND_bytes(nonce, sizeof(nonce)) == 1);
	secret_seal(
		&keeper->options.keys->current, nonce, label, span_of((char *)text, sizeof(text)), &sealed);
	mem_wipe(text, sizeof(text));
	args.sealed = buf_span(&sealed);
	keeper->is_asking = ticket_keys_write(keeper->options.link, &args, now_ms, on_written, keeper);
	if (!keeper->is_asking)
		mem_wipe(&keeper->written, sizeof(keeper->written));
	buf_fini(&sealed);
}

/* The step that is due; `serial` is what Redis has. */
static void act(struct ticket_keeper *keeper, enum ticket_step step, uint64_t serial)
{
	unsigned char fresh[3 * TICKET_KEY_LEN];
	uint64_t age_ms = 0;

	if (step == TICKET_WAIT)
		return;
	CHECK(RAND_priv_bytes(fresh, sizeof(fresh)) == 1);
	keeper->written = keeper->known;
	if (step == TICKET_MAKE)
		ticket_set_make(&keeper->written, serial + 1, fresh);
	else if (step == TICKET_TURN)
		ticket_set_turn(&keeper->written, fresh);
	else
		age_ms = loop_boottime_ms() - keeper->known_turned_ms;
	mem_wipe(fresh, sizeof(fresh));
	write_set(keeper, serial, age_ms);
}

static void on_read(void *arg, const struct outcome *outcome, const struct ticket_store *store)
{
	struct ticket_keeper *keeper = arg;
	struct ticket_view view = { .store = store, .lifetime_ms = keeper->options.lifetime_ms };
	uint64_t now_ms = loop_boottime_ms();
	struct ticket_set set;

	keeper->is_asking = false;
	if (!outcome_is_ok(outcome))
		return;
	view.can_open = open_set(keeper, store, &set);
	if (view.can_open && memcmp(&set, &keeper->known, sizeof(set)) != 0)
		use(keeper, &set);
	if (view.can_open)
		keeper->known_turned_ms =
			now_ms - (store->now_ms > store->turned_ms ? store->now_ms - store->turned_ms : 0);
	else if (store->serial)
		complain_once(keeper, store->serial);
	mem_wipe(&set, sizeof(set));
	view.has_set = keeper->known.serial != 0;
	view.leads = member_is_leader(keeper->options.member);
	act(keeper, ticket_keys_decide(&view), store->serial);
}

static void look(void *arg)
{
	struct ticket_keeper *keeper = arg;
	uint64_t pause_ms = keeper->options.lifetime_ms / 2;

	turn_own(keeper);
	if (is_shared(keeper)) {
		pause_ms = ticket_keys_pause_ms(
			keeper->options.lifetime_ms, keeper->known.serial != 0, random_u64(&keeper->random));
		if (!keeper->is_asking)
			keeper->is_asking =
				ticket_keys_read(keeper->options.link, loop_boottime_ms(), on_read, keeper);
	}
	loop_timer_set(keeper->options.loop, &keeper->timer, pause_ms);
}
