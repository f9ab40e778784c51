# One static library a room, linked with exactly the rooms and the one library that
# docs/ARCHITECTURE.md allows it; tests/house checks the same from the #include lines.

add_library(moonlog_flags INTERFACE)
target_compile_definitions(moonlog_flags INTERFACE _GNU_SOURCE MOONLOG_VERSION="${PROJECT_VERSION}")
target_compile_options(moonlog_flags INTERFACE
	-Wall -Wextra -Wconversion -Wshadow -Werror -Wstrict-prototypes -Wmissing-prototypes
	-fstack-protector-strong -fno-strict-aliasing -fno-omit-frame-pointer)
target_include_directories(moonlog_flags INTERFACE ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/include)
if(MOONLOG_SANITIZE)
	target_compile_options(moonlog_flags INTERFACE -fsanitize=${MOONLOG_SANITIZE} -fno-sanitize-recover=undefined)
	target_link_options(moonlog_flags INTERFACE -fsanitize=${MOONLOG_SANITIZE})
endif()

# room(NAME FILES a.c b.c ROOMS base model LIBS PkgConfig::SQLITE)
function(room name)
	cmake_parse_arguments(ROOM "" "" "FILES;ROOMS;LIBS" ${ARGN})
	add_library(moonlog_${name} STATIC ${ROOM_FILES})
	set_target_properties(moonlog_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
	target_link_libraries(moonlog_${name} PUBLIC moonlog_flags Threads::Threads PRIVATE ${ROOM_LIBS})
	foreach(floor IN LISTS ROOM_ROOMS)
		target_link_libraries(moonlog_${name} PUBLIC moonlog_${floor})
	endforeach()
endfunction()
