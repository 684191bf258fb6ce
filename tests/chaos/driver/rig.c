/* SPDX-License-Identifier: MIT
 * rig.c - the site as `run` built it: DIR/site holds "name value" lines. */
#include "tests/chaos/driver/driver.h"

enum { MAX_VALUES = 200 };
static struct { char name[48], value[1024]; } values[MAX_VALUES];
static size_t n_values;
struct rig rig;

static const char *find(const char *name)
{
	for (size_t i = 0; i < n_values; i++)
		if (strcmp(values[i].name, name) == 0)
			return values[i].value;
	return NULL;
}

bool site_has(const char *name) { return find(name) != NULL; }

const char *site(const char *fmt, ...)
{
	char name[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	const char *v = find(name);
	if (!v)
		die("%s/site: no %s", rig.dir, name);
	return v;
}

static int count(const char *name)
{
	const char *v = find(name);

	return v ? (int)number(name, v, 0, 64) : 0;
}

void rig_read(const char *dir)
{
	char path[1024], line[1200];

	snprintf(path, sizeof(path), "%s/site", dir);
	FILE *f = fopen(path, "r");
	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		char *blank = strchr(line, ' ');
		if (!blank)
			continue;
		*blank = '\0';
		if (n_values == MAX_VALUES || strlen(line) >= sizeof(values[0].name))
			die("%s: too much", path);
		snprintf(values[n_values].name, sizeof(values[0].name), "%.47s", line);
		snprintf(values[n_values++].value, sizeof(values[0].value), "%s", blank + 1);
	}
	fclose(f);
	rig.dir = dir;
	rig.n_targets = count("targets");
	rig.n_fronts = count("fronts");
	rig.n_controllers = count("controllers");
	rig.n_redis = count("redis");
	rig.n_sentinels = count("sentinels");
	rig.n_agents = count("agents");
	const char *t = site("topology");
	rig.topology = strcmp(t, "single") == 0 ? SINGLE : strcmp(t, "sentinel") == 0 ? SENTINEL : FLEET;
}
