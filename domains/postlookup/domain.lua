-- SPDX-License-Identifier: MIT
-- Looking posts up, as a domain beside the one that writes them.

return {
    title = "Social posts: lookup",
    settings = require "settings",

    routes = {
        { "GET", "/api/v1/PostLookup", query = "FindAllPosts", summary = "All posts" },
        { "GET", "/api/v1/PostLookup/byId/{id}", query = "FindPostById", summary = "One post" },
        { "GET", "/api/v1/PostLookup/byAuthor/{author}", query = "FindPostsWithAuthor", summary = "Posts of an author" },
        { "GET", "/api/v1/PostLookup/withComments", query = "FindPostsWithComments", summary = "Commented posts" },
        { "GET", "/api/v1/PostLookup/withLikes/{n}", query = "FindPostsWithLikes", summary = "Posts with n likes or more" },
    },
}
