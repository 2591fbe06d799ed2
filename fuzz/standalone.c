/* Runs a fuzz target over files and folders of files, where libFuzzer is not to be had: each file
 * is one input. Every input stands in memory of exactly its size, so that a sanitizer sees a step
 * past its end. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void run_file(FILE *file, const char *path)
{
	long len = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
	uint8_t *data = malloc(len > 0 ? (size_t)len : 1);

	rewind(file);
	if (len < 0 || data == NULL || fread(data, 1, (size_t)len, file) != (size_t)len) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t)len);
	free(data);
}

static size_t run_path(const char *path);

static size_t run_folder(DIR *folder, const char *path)
{
	size_t count = 0;

	for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		char inner[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
		count += run_path(inner);
	}
	closedir(folder);
	return count;
}

/* How many inputs were run. The name of each is printed first: when one crashes, it is the last. */
static size_t run_path(const char *path)
{
	DIR *folder = opendir(path);

	if (folder != NULL)
		return run_folder(folder, path);
	FILE *file = fopen(path, "rb");

	if (file == NULL) {
		fprintf(stderr, "cannot open %s\n", path);
		exit(1);
	}
	printf("%s\n", path);
	fflush(stdout);
	run_file(file, path);
	return 1;
}

int main(int count, char **arguments)
{
	size_t inputs = 0;

	for (int i = 1; i < count; i++)
		inputs += run_path(arguments[i]);
	printf("%zu inputs\n", inputs);
	return inputs == 0; /* a corpus that is not there is no success */
}
