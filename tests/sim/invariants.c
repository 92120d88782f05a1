#include "invariants.h"

#include "disk.h"
#include "mail.h"
#include "node.h"
#include "store.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- windows ---------------------------------------------------------------------------------------- */

static bool are_two_faults(const struct world *world, const struct attempt *since)
{
	return world->redis_faults > since->redis_faults &&
	       (world->faults - since->faults >= 2 || since->was_beside_fault);
}

static bool is_node_faulty_since(const struct attempt *since)
{
	return since->life->is_over || since->was_cut || since->life->node->faults > since->node_faults;
}

static bool may_share_window(const struct world *world, const struct attempt *first)
{
	if (first->life->is_over || first->is_answer_lost || are_two_faults(world, first))
		return true;
	/* Paused or cut off, and for longer than its lease was good. */
	return is_node_faulty_since(first) &&
	       (world_now_ms(world) >= first->worker->trust_max_ms || first->worker->lapses != first->lapses);
}

/*
 * Never are two nodes between the final dot and its answer for one mail, unless the first one died, paused or
 * was cut off for longer than its lease, or two faults fell together. Never has one process two couriers
 * there.
 */
static void one_node_is_in_the_window(struct world *world, const struct attempt *attempt)
{
	for (const struct attempt *it = attempt->next; it; it = it->next) {
		if (!it->is_in_window)
			continue;
		if (it->life == attempt->life)
			violation(world, "one_node_is_in_the_window", "%s sends m%u while it sends it",
				it->life->node->name, it->mail->number);
		if (!may_share_window(world, it))
			violation(world, "one_node_is_in_the_window",
				"%s sends m%u, %s still waits for its answer", attempt->life->node->name,
				it->mail->number, it->life->node->name);
	}
}

/* --- receipts ---------------------------------------------------------------------------------------- */

static bool may_be_repeated(
	const struct world *world, const struct attempt *first, const struct attempt *second)
{
	if (first->is_answer_lost || are_two_faults(world, first))
		return true;
	/* Whoever claimed it before cannot know. */
	return (!first->is_recorded || first->recorded_us > second->given_us) && is_node_faulty_since(first);
}

/*
 * The hop gets a mail a second time only if the first time its connection was lost after the dot, or the node
 * died, paused or was cut off before Redis heard of the answer, and the mail was another's by then, or two
 * faults fell together.
 */
static void a_second_receipt_has_a_cause(struct world *world, const struct attempt *attempt)
{
	for (const struct attempt *it = attempt->mail->attempts; it; it = it->next) {
		if (it != attempt && (it->taken & attempt->taken) && !may_be_repeated(world, it, attempt))
			violation(world, "a_second_receipt_has_a_cause",
				"m%u from %s, was taken from %s at %llu ms", attempt->mail->number,
				attempt->life->node->name, it->life->node->name,
				(unsigned long long)(it->dot_us / MS_US));
	}
}

/* A client that heard no is never surprised: what it was refused is not delivered. */
static void no_means_no(struct world *world, const struct mail *mail)
{
	bool is_delivered = mail->attempts && mail->attempts->taken;

	for (unsigned i = 0; i < mail->recipient_count; i++)
		is_delivered |= mail->receipts[i] > 0;
	if (mail->told == TOLD_NO && is_delivered)
		violation(world, "no_means_no", "m%u was refused and is delivered", mail->number);
}

/*
 * What an operator was told is cancelled is not sent afterwards, unless it was past its dot, its node was
 * faulty, or Redis lost writes, and the cancel among them.
 */
static void cancelled_is_no_lie(struct world *world, const struct attempt *attempt)
{
	const struct mail *mail = attempt->mail;

	if (mail->cancelled_us && attempt->dot_us > mail->cancelled_us && !is_node_faulty_since(attempt) &&
		world->redis_faults == mail->cancel_redis_faults)
		violation(world, "cancelled_is_no_lie", "m%u is sent by %s", mail->number,
			attempt->life->node->name);
}

/* --- the functions ------------------------------------------------------------------------------------- */

static const struct guarded {
	const char *name;
	size_t incarnation; /* argument */
} guarded[] = {
	{ "accept", 0 },
	{ "adopt", 0 },
	{ "keep", 0 },
	{ "claim", 0 },
	{ "takeup", 1 },
	{ "defer", 1 },
	{ "bounce", 1 },
};

static bool is_ok(struct span reply)
{
	return span_starts_with(reply, SPAN_LIT("+OK")) || span_starts_with(reply, SPAN_LIT("$2\r\nOK")) ||
	       (reply.len > 4 && reply.ptr[0] == '*' &&
		       span_starts_with(
			       span_drop(reply, span_find(reply, '\n') + 1), SPAN_LIT("$2\r\nOK\r\n")));
}

static bool gives_nothing(struct span reply)
{
	return span_starts_with(reply, SPAN_LIT("*1\r\n"));
}

static uint64_t number_after(struct span text, char mark)
{
	struct span digits = span_drop(text, span_find(text, mark) + 1);
	uint64_t number = 0;

	CHECK(span_parse_u64(digits, UINT64_MAX, &number));
	return number;
}

/* The record as it was when a defer or bounce began. */
static char owner_before[80], turn_before[24];

static void note_owner(struct world *world, const struct happening *happening)
{
	const struct command *command = happening->command;
	redisReply *reply;

	owner_before[0] = turn_before[0] = '\0';
	if (strcmp(command->name, "defer") != 0)
		return;
	reply = store_ask(world, happening->db, "HMGET %b o t", command->keys[5].ptr, command->keys[5].len);
	if (reply->element[1]->type != REDIS_REPLY_STRING)
		return;
	snprintf(owner_before, sizeof(owner_before), "%s", reply->element[0]->str);
	snprintf(turn_before, sizeof(turn_before), "%s", reply->element[1]->str);
}

/* The highest fence that was seen, per shard and node, since Redis last lost writes. */
static struct seen_fence {
	char key[24], node[NODE_UUID_LEN + 1];
	uint64_t fence;
} seen_fences[SHARDS_MAX * NODES_MAX * 8];
static size_t seen_fence_count;
static unsigned fences_since;

static struct seen_fence *find_fence(struct span key, struct span node)
{
	struct seen_fence *next = &seen_fences[seen_fence_count];

	for (size_t i = 0; i < seen_fence_count; i++) {
		if (span_eq(key, span_of_str(seen_fences[i].key)) &&
			span_eq(node, span_of_str(seen_fences[i].node)))
			return &seen_fences[i];
	}
	CHECK(seen_fence_count++ < ARRAY_LEN(seen_fences));
	*next = (struct seen_fence){ .fence = 0 };
	snprintf(next->key, sizeof(next->key), "%.*s", SPAN_ARGS(key));
	snprintf(next->node, sizeof(next->node), "%.*s", SPAN_ARGS(node));
	return next;
}

/* What ended stays ended: whatever a leader says, however late, no fence falls. Rows of a sweep begin at 3.
 */
static void fences_only_rise(struct world *world, const struct happening *happening)
{
	const struct command *command = happening->command;

	if (strcmp(command->name, "sweep") != 0 || happening->db != DB_MAIN)
		return;
	if (fences_since != world->redis_faults)
		seen_fence_count = 0;
	fences_since = world->redis_faults;
	for (size_t i = 3; i < command->arg_count; i += 4) {
		struct span node = command->args[i];
		struct seen_fence *seen = find_fence(command->keys[0], node);
		redisReply *reply = store_ask(world, DB_MAIN, "HGET %b %b", command->keys[0].ptr,
			command->keys[0].len, node.ptr, node.len);
		uint64_t fence = reply->type == REDIS_REPLY_STRING ? strtoull(reply->str, NULL, 10) : 0;

		if (fence < seen->fence)
			violation(world, "an_ex_owner_only_reports", "the fence of %.8s falls", seen->node);
		seen->fence = fence;
	}
}

/* An incarnation whose time has ended, or whose turn has, changes nothing any more: it can only report. */
static void an_ex_owner_only_reports(struct world *world, const struct happening *happening)
{
	const struct command *command = happening->command;
	const struct guarded *row = NULL;
	struct span incarnation;
	redisReply *fence;

	for (size_t i = 0; i < ARRAY_LEN(guarded); i++) {
		if (strcmp(guarded[i].name, command->name) == 0)
			row = &guarded[i];
	}
	if (!row || !is_ok(happening->reply) || gives_nothing(happening->reply))
		return;
	incarnation = command->args[row->incarnation];
	fence = store_ask(world, happening->db, "HGET %b %b", command->keys[0].ptr, command->keys[0].len,
		incarnation.ptr, (size_t)NODE_UUID_LEN);
	if (fence->type == REDIS_REPLY_STRING &&
		number_after(incarnation, '#') <= strtoull(fence->str, NULL, 10))
		violation(world, "an_ex_owner_only_reports", "%s by a fenced incarnation", command->name);
	if (strcmp(command->name, "defer") == 0 &&
		(!span_eq(incarnation, span_of_str(owner_before)) ||
			!span_eq(command->args[2], span_of_str(turn_before))))
		violation(world, "an_ex_owner_only_reports",
			"defer of turn %.*s; the owner was %s in turn %s", SPAN_ARGS(command->args[2]),
			owner_before, turn_before);
}

/* --- what Redis hears ------------------------------------------------------------------------------------
 */

/* Facts that reach Redis: what was taken is recorded from now on. */
static void note_recorded(const struct happening *happening, struct mail *mail, struct span settled)
{
	for (struct attempt *it = mail->attempts; it; it = it->next) {
		bool is_covered = it->taken != 0;

		for (unsigned i = 0; i < mail->recipient_count && i < settled.len; i++)
			is_covered &= !(it->taken >> i & 1) || settled.ptr[i] == SETTLED_DELIVERED;
		if (is_covered && happening->conn->node == it->life->node && !it->is_recorded) {
			it->is_recorded = true;
			it->recorded_us = the_world->agenda.now_us;
		}
	}
}

/* Who owns a mail from now on knows what Redis knew of it then. A claim's reply: "... $26 <id> ...". */
static void note_given(struct world *world, const struct happening *happening)
{
	const struct command *command = happening->command;
	struct span rest = happening->reply;
	struct mail *mail = NULL;

	if (strcmp(command->name, "adopt") == 0 && is_ok(happening->reply))
		mail = mail_find_text(world, command->args[1]);
	if (mail)
		mail->given_us = world->agenda.now_us;
	if (strcmp(command->name, "claim") != 0 && strcmp(command->name, "takeup") != 0)
		return;
	for (; rest.len > MSG_ID_TEXT_LEN + 5; rest = span_drop(rest, 1)) {
		mail = NULL;
		if (span_starts_with(rest, SPAN_LIT("$26\r\n")))
			mail = mail_find_text(world, span_take(span_drop(rest, 5), MSG_ID_TEXT_LEN));
		if (mail)
			mail->given_us = world->agenda.now_us;
	}
}

/* Argument of bounce: the report's id. */
enum { BOUNCED_DSN = 4 };

static void note_command(struct world *world, const struct happening *happening)
{
	const struct command *command = happening->command;
	struct mail *mail;
	size_t at = 0;

	if (!command->arg_count)
		return;
	if (strcmp(command->name, "bounce") == 0 &&
		(mail = mail_find_text(world, command->args[BOUNCED_DSN])))
		mail->was_written = true;
	if (strcmp(command->name, "adopt") == 0 || strcmp(command->name, "keep") == 0 ||
		strcmp(command->name, "accept") == 0)
		at = 1;
	else if (strcmp(command->name, "settle") != 0)
		return;
	mail = mail_find_text(world, command->args[at]);
	if (!mail)
		return;
	mail->was_written = true;
	if (!at && mail->about && command->args[1].ptr[0] == SETTLED_EXPIRED)
		mail_end_report(mail);
	if (happening->kind == SAW_EXECUTED && !span_starts_with(happening->reply, SPAN_LIT("-")))
		note_recorded(happening, mail, command->args[at ? 3 : 1]);
}

/* Of a mail that Redis never heard of the journal's word is the record. */
static void note_durable(struct world *world, const struct happening *happening)
{
	struct mail *mail = mail_find(world, happening->id);

	if (!mail || mail->was_written || happening->entry == JOURNAL_MESSAGE)
		return;
	/* Given up. */
	if (mail->about && happening->entry == JOURNAL_DONE && mail->covers && world->odds.expire_s)
		mail_end_report(mail);
	for (struct attempt *it = mail->attempts; it; it = it->next)
		it->is_recorded |= !it->is_in_window && it->life->node == happening->node;
}

/* --- copies ------------------------------------------------------------------------------------------------
 */

unsigned invariants_copies(struct world *world, const struct mail *mail)
{
	redisReply *reply = store_ask(
		world, DB_MAIN, "EXISTS skein:{s%u}:m:%s", msg_id_shard(&mail->id), mail->text.text);
	unsigned copies = reply->integer == 1;

	for (unsigned i = 0; i < world->node_count; i++) {
		for (unsigned k = 0; k < world->worker_count; k++)
			copies += disk_has(&world->nodes[i].disks[k], &mail->id);
	}
	return copies;
}

static bool has_report(struct world *world, const struct mail *mail)
{
	for (const struct mail *it = world->mails; it; it = it->next) {
		if (it->about == mail &&
			(mail_is_over(it) || it->is_cancelled || invariants_copies(world, it)))
			return true;
	}
	return false;
}

static bool is_safe(struct world *world, const struct mail *mail)
{
	if (mail->told != TOLD_TAKEN || mail->is_cancelled || mail->is_excused || mail_is_over(mail) ||
		invariants_copies(world, mail))
		return true;
	for (unsigned i = 0; i < mail->recipient_count; i++) {
		if (!mail_is_settled(mail, i) && !has_report(world, mail))
			return false;
	}
	return true;
}

/* Each mail that was acknowledged and is neither delivered nor reported has a copy, in Redis or on a disk. */
static void nothing_acknowledged_is_lost(struct world *world)
{
	for (struct mail *mail = world->mails; mail; mail = mail->next) {
		if (!is_safe(world, mail))
			violation(
				world, "nothing_acknowledged_is_lost", "m%u has no copy left", mail->number);
		if (mail->losses && !mail->about && !mail_is_over(mail) && invariants_copies(world, mail) > 1)
			mail->losses = 0;
	}
}

void invariants_before_loss(struct world *world)
{
	for (struct mail *mail = world->mails; mail; mail = mail->next)
		mail->copies = mail_is_over(mail) ? 0 : invariants_copies(world, mail);
}

static bool is_loss_admitted(const struct world *world, const struct mail *mail)
{
	return mail->copies < 2 && (mail->losses || mail->is_degraded) && !world->odds.apart_s;
}

/* Of a mail whose report lost a copy, the same is true. */
static bool is_report_loss_admitted(const struct world *world, const struct mail *mail)
{
	for (const struct mail *it = world->mails; it; it = it->next) {
		if (it->about == mail && it->losses && !world->odds.apart_s)
			return true;
	}
	return false;
}

void invariants_after_loss(struct world *world, const char *what)
{
	for (struct mail *mail = world->mails; mail; mail = mail->next) {
		if (!is_safe(world, mail)) {
			if (!is_loss_admitted(world, mail) && !is_report_loss_admitted(world, mail))
				violation(world, "nothing_acknowledged_is_lost",
					"m%u had %u copies, then: %s", mail->number, mail->copies, what);
			trace(world, "m%u is lost: two faults together", mail->number);
			mail->is_excused = true;
		}
		if (mail->copies && invariants_copies(world, mail) < mail->copies)
			mail->losses++;
	}
	world->loss_us = world->agenda.now_us;
}

/* --- tombstones
 * ------------------------------------------------------------------------------------------------ */

static void check_tombstone(struct world *world, const struct mail *mail, unsigned why)
{
	const char *wrong = NULL;

	if (why == SETTLED_WITHDRAWN - '0' && mail->told == TOLD_TAKEN)
		wrong = "withdrawn";
	if (why == SETTLED_CANCELLED - '0' && !mail->is_cancelled)
		wrong = "cancelled";
	for (unsigned i = 0; i < mail->recipient_count && !wrong && !mail->is_cancelled &&
			     !mail->is_excused && why > SETTLED_CANCELLED - '0';
		i++) {
		if (!mail_is_settled(mail, i) && !has_report(world, mail))
			wrong = "ended";
	}
	if (wrong)
		violation(world, "a_tombstone_hides_nothing", "m%u is %s, and was not delivered",
			mail->number, wrong);
}

/* What Redis takes for ended is: delivered, reported, cancelled by an operator, or never acknowledged. */
static void a_tombstone_hides_nothing(struct world *world)
{
	for (unsigned shard = 0; shard < world->shards; shard++) {
		redisReply *reply =
			store_ask(world, DB_MAIN, "ZRANGE skein:{s%u}:gone 0 -1 WITHSCORES", shard);
		size_t count = reply->elements;
		struct ended {
			const struct mail *mail;
			unsigned why;
		} *all = calloc(count + 1, sizeof(*all));

		/* The reply does not outlive the next question. */
		for (size_t i = 0; i + 1 < count; i += 2) {
			all[i].mail = mail_find_text(world, span_of_str(reply->element[i]->str));
			all[i].why = (unsigned)(strtoull(reply->element[i + 1]->str, NULL, 10) % 8);
		}
		for (size_t i = 0; i + 1 < count; i += 2) {
			if (all[i].mail)
				check_tombstone(world, all[i].mail, all[i].why);
		}
		free(all);
	}
}

/* --- all of it
 * ---------------------------------------------------------------------------------------------------- */

void invariants_look(struct world *world, struct happening *happening)
{
	struct mail *mail = happening->mail;

	switch (happening->kind) {
	case SAW_DOT:
		one_node_is_in_the_window(world, happening->attempt);
		break;
	case SAW_RECEIPT:
		a_second_receipt_has_a_cause(world, happening->attempt);
		cancelled_is_no_lie(world, happening->attempt);
		no_means_no(world, mail);
		break;
	case SAW_TOLD:
		no_means_no(world, mail);
		mail->is_degraded = invariants_copies(world, mail) < 2;
		if (!is_safe(world, mail))
			violation(
				world, "nothing_acknowledged_is_lost", "m%u never had a copy", mail->number);
		break;
	case SAW_EXECUTING:
		note_owner(world, happening);
		break;
	case SAW_SENT:
		note_command(world, happening);
		break;
	case SAW_EXECUTED:
		an_ex_owner_only_reports(world, happening);
		fences_only_rise(world, happening);
		note_given(world, happening);
		note_command(world, happening);
		break;
	case SAW_DURABLE:
		note_durable(world, happening);
		break;
	case SAW_STARTED:
	case SAW_ANSWER:
	case SAW_SECOND:
		break;
	}
}

void invariants_look_deep(struct world *world)
{
	a_tombstone_hides_nothing(world);
	nothing_acknowledged_is_lost(world);
}

/* --- the end
 * -------------------------------------------------------------------------------------------------------- */

static char unfinished[200];

static const char *left_over(struct world *world, const char *pattern)
{
	redisReply *reply = store_ask(world, DB_MAIN, "KEYS %s", pattern);

	if (!reply->elements)
		return NULL;
	snprintf(unfinished, sizeof(unfinished), "Redis still has %s", reply->element[0]->str);
	return unfinished;
}

/* A body that no record names goes by itself. */
static const char *left_body(struct world *world)
{
	static const char script[] = "for _, key in ipairs(redis.call('KEYS', 'skein:{s*}:b:*')) do "
				     "if redis.call('PTTL', key) < 0 then return key end end return ''";
	redisReply *reply = store_ask(world, DB_MAIN, "EVAL %s 0", script);

	if (!reply->len)
		return NULL;
	snprintf(unfinished, sizeof(unfinished), "Redis still has %s", reply->str);
	return unfinished;
}

/*
 * When the faults are over everything comes to its end: each acknowledged mail is delivered or reported, all
 * journals are empty, nobody knows or owns anything, and Redis has nothing but tombstones.
 */
const char *invariants_unfinished(struct world *world)
{
	static const char *const patterns[] = { "skein:{s*}:m:*", "skein:{s*}:own:*", "skein:{s*}:due*",
		"skein:{s*}:held", "skein:{s*}:gone:*" };
	const char *why = NULL;

	for (const struct mail *mail = world->mails; mail; mail = mail->next) {
		if (mail->told == TOLD_TAKEN && !mail_is_over(mail) && !mail->is_cancelled &&
			!mail->is_excused) {
			snprintf(unfinished, sizeof(unfinished), "m%u %s is not delivered", mail->number,
				mail->text.text);
			return unfinished;
		}
	}
	for (unsigned i = 0; i < world->node_count; i++) {
		why = node_unfinished(&world->nodes[i]);
		if (why)
			return why;
	}
	for (size_t i = 0; i < ARRAY_LEN(patterns) && !why; i++)
		why = left_over(world, patterns[i]);
	return why ? why : left_body(world);
}
