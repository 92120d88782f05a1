#include "outbound/hop_news.h"

#include <sys/random.h>

static void lock(void *ctx)
{
	pthread_mutex_lock(ctx);
}

static void unlock(void *ctx)
{
	pthread_mutex_unlock(ctx);
}

static void on_upkeep(void *arg)
{
	struct hop_news *news = arg;

	if (news->link)
		(void)hop_board_tick(news->board, news->link, loop_boottime_ms());
	for (unsigned state = HOP_SLOW; state <= HOP_DOWN; state++)
		meter_set_at(news->meter, METRIC_HOPS, state - HOP_SLOW,
			(int64_t)hop_board_count(news->board, (enum hop_state)state));
	loop_timer_set(news->loop, &news->timer, HOP_BOARD_TICK_MS);
}

void hop_news_init(struct hop_news *news, size_t hops_max, const char *name, struct meter *meter)
{
	struct hop_board_options board = { .hops_max = hops_max };
	struct slot_share_options share = { .seed = { 0 } };

	*news = (struct hop_news){ .meter = meter };
	for (size_t i = 0; i < ARRAY_LEN(news->locks); i++)
		pthread_mutex_init(&news->locks[i], NULL);
	CHECK(getrandom(board.seed, sizeof(board.seed), 0) == (ssize_t)sizeof(board.seed));
	memcpy(share.seed, board.seed, sizeof(share.seed));
	board.lock = (struct shared_lock){ lock, unlock, &news->locks[0] };
	share.lock = (struct shared_lock){ lock, unlock, &news->locks[1] };
	news->board = hop_board_new(&board);
	news->share = slot_share_new(&share);
	hop_board_set_self(news->board, name);
	loop_timer_init(&news->timer, on_upkeep, news);
}

void hop_news_fini(struct hop_news *news)
{
	hop_board_free(&news->board);
	slot_share_free(&news->share);
	for (size_t i = 0; i < ARRAY_LEN(news->locks); i++)
		pthread_mutex_destroy(&news->locks[i]);
}

void hop_news_start(struct hop_news *news, struct loop *loop, struct redis_link *link)
{
	news->loop = loop;
	news->link = link;
	on_upkeep(news);
}

void hop_news_stop(struct hop_news *news)
{
	if (news->loop)
		loop_timer_cancel(news->loop, &news->timer);
	news->loop = NULL;
	news->link = NULL;
}

void hop_news_link_lost(struct hop_news *news)
{
	hop_board_link_lost(news->board);
}

void hop_news_set_cluster(struct hop_news *news, unsigned nodes, unsigned rank)
{
	/* What was seen last may be without us. */
	slot_share_set_nodes(news->share, rank < nodes ? nodes : rank + 1, rank);
}
