#include "custody/budget.h"

#include "skein/proto/base/check.h"

void budget_init(struct budget *budget, size_t limit, unsigned high_percent)
{
	atomic_init(&budget->used, 0);
	budget->tight = limit / 2;
	budget->high = (size_t)((double)limit * high_percent / 100);
	budget->limit = limit;
}

bool budget_take(struct budget *budget, size_t bytes)
{
	size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);

	do {
		if (used > budget->limit || bytes > budget->limit - used)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&budget->used, &used, used + bytes, memory_order_relaxed, memory_order_relaxed));
	return true;
}

void budget_force(struct budget *budget, size_t bytes)
{
	atomic_fetch_add_explicit(&budget->used, bytes, memory_order_relaxed);
}

void budget_give(struct budget *budget, size_t bytes)
{
	size_t before = atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);

	CHECK(before >= bytes);
}

size_t budget_used(const struct budget *budget)
{
	return atomic_load_explicit(&budget->used, memory_order_relaxed);
}

enum budget_level budget_level(const struct budget *budget)
{
	size_t used = budget_used(budget);

	if (used >= budget->limit)
		return BUDGET_FULL;
	if (used >= budget->high)
		return BUDGET_HIGH;
	return used >= budget->tight ? BUDGET_TIGHT : BUDGET_EASY;
}
