/*
 * libuv closes descriptors with syscall(SYS_close), which TSan does not see. The next thread to get the same
 * number then seems to race with the one that had it before. Linked into the builds with TSan, this shows it
 * the close; nothing needs to be suppressed.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef long syscall_fn(long number, ...);

long syscall(long number, ...)
{
	static _Atomic(syscall_fn *) known;
	syscall_fn *next = known;
	va_list list;
	long args[6];

	va_start(list, number);
	for (unsigned i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_close)
		return close((int)args[0]);
	if (!next)
		known = next = (syscall_fn *)dlsym(RTLD_NEXT, "syscall");
	return next(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
