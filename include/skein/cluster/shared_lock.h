/*
 * shared_lock: for what the workers of a node have in common. A node brings a mutex, a test with one thread
 * none: all zero bytes is no lock. Held for a few lines of arithmetic, never across a call to Redis.
 */
#ifndef SKEIN_CLUSTER_SHARED_LOCK_H
#define SKEIN_CLUSTER_SHARED_LOCK_H

struct shared_lock {
	void (*lock)(void *ctx);
	void (*unlock)(void *ctx);
	void *ctx;
};

static inline void shared_lock_take(const struct shared_lock *lock)
{
	if (lock->lock)
		lock->lock(lock->ctx);
}

static inline void shared_lock_release(const struct shared_lock *lock)
{
	if (lock->unlock)
		lock->unlock(lock->ctx);
}

#endif
