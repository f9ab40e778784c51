-- SPDX-License-Identifier: MIT
-- Social posts: written, liked, commented; looked up by author, comments and likes.

local function told(message)
    return function() return { message = message } end
end

return {
    title = "Social posts",
    settings = require "settings",

    routes = {
        { "POST", "/api/v1/NewPost", command = "post.NewPost", status = 201, location = "/api/v1/PostLookup/byId/{id}",
          reply = function(_, meta) return { id = meta.id, message = "the post was made" } end, summary = "Write a post" },
        { "PUT", "/api/v1/EditMessage/{id}", command = "post.EditMessage", reply = told "the post was edited",
          summary = "Change a post's message" },
        { "PUT", "/api/v1/LikePost/{id}", command = "post.LikePost",
          reply = function(reply) return { likes = reply.likes, message = "the post was liked" } end,
          summary = "Like a post" },
        { "PUT", "/api/v1/AddComment/{id}", command = "post.AddComment",
          reply = function(reply) return { commentId = reply.commentId, message = "the comment was added" } end,
          summary = "Comment a post" },
        { "PUT", "/api/v1/EditComment/{id}", command = "post.EditComment", reply = told "the comment was edited",
          summary = "Change one's comment" },
        { "DELETE", "/api/v1/RemoveComment/{id}", command = "post.RemoveComment", reply = told "the comment was removed",
          summary = "Remove one's comment" },
        { "DELETE", "/api/v1/DeletePost/{id}", command = "post.DeletePost", reply = told "the post was removed",
          summary = "Remove a post and its comments" },
        { "POST", "/api/v1/RestoreReadDb", query = "RestoreReadDb", summary = "Refused: the operator's order" },

        { "GET", "/api/v1/PostLookup", query = "FindAllPosts", summary = "All posts" },
        { "GET", "/api/v1/PostLookup/byId/{id}", query = "FindPostById", summary = "One post" },
        { "GET", "/api/v1/PostLookup/byAuthor/{author}", query = "FindPostsWithAuthor", summary = "Posts of an author" },
        { "GET", "/api/v1/PostLookup/withComments", query = "FindPostsWithComments", summary = "Commented posts" },
        { "GET", "/api/v1/PostLookup/withLikes/{n}", query = "FindPostsWithLikes", summary = "Posts with n likes or more" },
    },
}
