/* Proves how a process dies of something: asserts, guard pages, memory that is not to be had. */
#ifndef TESTS_DYING_H
#define TESTS_DYING_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

/* Calls function(context) in a child process, which says nothing and leaves no core file. The
 * signal that ended it, or minus one and the exit code (-1: the function came back). */
static inline int dies_by(void (*function)(void *context), void *context)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct rlimit none = {0, 0};
		setrlimit(RLIMIT_CORE, &none);
		close(STDERR_FILENO);
		signal(SIGSEGV, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		function(context);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	return WIFSIGNALED(status) ? WTERMSIG(status) : -1 - WEXITSTATUS(status);
}

#endif
