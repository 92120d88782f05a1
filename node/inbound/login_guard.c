#include "inbound/login_guard.h"

enum { AGAIN_MS = 100 };

static void on_again(void *arg);

static void prepare(struct login_guard *login, const struct login_guard_desk *desk, void *arg)
{
	login->desk = desk;
	login->arg = arg;
}

/* ---- before ---- */

static void on_verdict(void *arg, const struct guard_verdict *verdict)
{
	struct login_guard *login = arg;
	const struct login_guard_desk *desk = login->desk;
	uint64_t now_ms = loop_boottime_ms();

	if (verdict->answer == ABUSE_BUSY && now_ms < login->give_up_ms) {
		loop_timer_init(&login->timer, on_again, login);
		loop_timer_set(desk->loop, &login->timer, AGAIN_MS + random_u32(desk->random) % AGAIN_MS);
		return;
	}
	login->is_begun = true;
	login->was_let_in = verdict->answer == ABUSE_ASK;
	login->on_answer(login->arg, verdict->answer == ABUSE_ASK    ? LOGIN_MAY_ASK
				     : verdict->answer == ABUSE_STOP ? LOGIN_STOPPED
								     : LOGIN_CROWDED);
}

static void begin(struct login_guard *login, struct span account, const struct network *address)
{
	struct guard_verdict verdict;

	if (guard_begin(login->desk->guard, login->desk->link, &login->attempt, account, address,
		    loop_boottime_ms(), on_verdict, login, &verdict))
		on_verdict(login, &verdict);
}

static void on_again(void *arg)
{
	struct login_guard *login = arg;
	struct guard_attempt *attempt = &login->attempt;
	struct network address = attempt->address;
	char account[ABUSE_ACCOUNT_MAX];
	size_t len = attempt->account_len;

	memcpy(account, attempt->account, len);
	begin(login, span_of(account, len), &address);
}

void login_guard_ask(struct login_guard *login, const struct login_guard_desk *desk, struct span account,
	const struct network *address, uint64_t patience_ms, login_guard_answer_fn *fn, void *arg)
{
	prepare(login, desk, arg);
	login->on_answer = fn;
	login->give_up_ms = loop_boottime_ms() + patience_ms;
	begin(login, account, address);
}

/* ---- after ---- */

static void on_held(void *arg)
{
	struct login_guard *login = arg;

	login->on_ended(login->arg, login->is_banned);
}

static void on_result(void *arg, const struct guard_result *result)
{
	struct login_guard *login = arg;

	login->is_banned = result->ban_ms > 0;
	loop_timer_init(&login->timer, on_held, login);
	if (result->delay_ms)
		loop_timer_set(login->desk->loop, &login->timer, result->delay_ms);
	else
		on_held(login);
}

void login_guard_end(struct login_guard *login, const struct login_guard_desk *desk, enum guard_end end,
	login_guard_ended_fn *fn, void *arg)
{
	const uint32_t random = random_u32(desk->random);
	struct guard_result result;

	prepare(login, desk, arg);
	login->on_ended = fn;
	if (!login->is_begun)
		login->attempt = (struct guard_attempt){ .on_result = NULL };
	login->is_begun = false;
	if (guard_end(desk->guard, desk->link, &login->attempt, end, random, loop_boottime_ms(), on_result,
		    login, &result))
		on_result(login, &result);
}

void login_guard_cancel(struct login_guard *login)
{
	struct guard_result unused;

	if (!login->desk)
		return;
	loop_timer_cancel(login->desk->loop, &login->timer);
	guard_cancel(&login->attempt);
	if (login->is_begun && login->was_let_in)
		(void)guard_end(login->desk->guard, login->desk->link, &login->attempt, GUARD_UNKNOWN, 0,
			loop_boottime_ms(), NULL, NULL, &unused);
	*login = (struct login_guard){ .desk = NULL };
}
