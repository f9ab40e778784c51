/* SPDX-License-Identifier: MIT */
/*
 * What was linked at build time may not be what is loaded at run time: the check asks the libraries themselves. Below
 * SQLite 3.51.3 another connection's checkpoint can lose pages; the store's one-writer rule keeps clear of that, so the
 * floor is the oldest version the store's statements need.
 */
#include "daemon/floors.h"

#include <event2/event.h>
#include <librdkafka/rdkafka.h>
#include <lua.h>
#include <openssl/crypto.h>
#include <sqlite3.h>

void
floors_libraries(struct floors_library libraries[FLOORS_LIBRARIES])
{
	libraries[0] = (struct floors_library){ "sqlite", sqlite3_libversion(), (unsigned)sqlite3_libversion_number(),
						3040000, "3.40.0" };
	libraries[1] = (struct floors_library){ "lua", LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE,
						LUA_VERSION_RELEASE_NUM, 50404, "5.4.4" };
	libraries[2] = (struct floors_library){ "libevent", event_get_version(), event_get_version_number(), 0x02010c00,
						"2.1.12" };
	libraries[3] = (struct floors_library){ "openssl", OpenSSL_version(OPENSSL_VERSION_STRING),
						OPENSSL_version_major(), 3, "3" };
	libraries[4] = (struct floors_library){ "librdkafka", rd_kafka_version_str(), (unsigned)rd_kafka_version(),
						0x020002ff, "2.0.2" };
}

int
floors_check(struct fault *fault)
{
	struct floors_library libraries[FLOORS_LIBRARIES];

	floors_libraries(libraries);
	for (size_t i = 0; i < FLOORS_LIBRARIES; i++) {
		if (libraries[i].number < libraries[i].least)
			return fault_set(fault, FAULT_CONFIG, "old_library", "%s is %s; at least %s is needed",
					 libraries[i].name, libraries[i].version, libraries[i].least_text);
	}
	return 0;
}
