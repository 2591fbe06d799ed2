/* A PostgreSQL of a test file's own, where there is one to be had: made by its group's set-up, thrown
 * away by its tear-down. */
#ifndef TESTS_UNIT_CLUSTER_H
#define TESTS_UNIT_CLUSTER_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder.h"
#include "io/store/store.h"

static struct {
	char folder[PATH_MAX];
	char database[64];
	bool is_there;
} cluster;

static inline int run_cluster(const char *what, const char *more)
{
	char command[PATH_MAX * 3];
	const char *source = getenv("TENON_SOURCE");

	snprintf(command, sizeof command, "%s/tests/unit/io/cluster %s %s %s",
		 source == NULL ? "." : source, what, cluster.folder, more);
	int status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static inline int make_cluster(void **state)
{
	char port[8];

	(void)state;
	/* Of this thread; others, and fibers, say so themselves. */
	(void)store_enter_all();
	snprintf(port, sizeof port, "%d", free_port());
	folder_make(cluster.folder);
	chmod(cluster.folder, 0755);
	int result = run_cluster("make", port);
	cluster.is_there = result != 77;
	if (!cluster.is_there)
		return 0;
	snprintf(cluster.database, sizeof cluster.database,
		 "postgresql://tenon@127.0.0.1:%s/tenon", port);
	return result != 0 || run_cluster("start", "") != 0;
}

static inline int remove_cluster(void **state)
{
	(void)state;
	if (cluster.is_there)
		return run_cluster("remove", "");
	folder_remove(cluster.folder);
	return 0;
}

#endif
