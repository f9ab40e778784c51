-- SPDX-License-Identifier: MIT
-- The read model: a row a post, a row a comment. Each change names the version it makes; an event that a post's row
-- has seen already changes nothing, so events may come twice. Rows that are not there are passed over.

local function unseen(view, meta)
    local post = view.Post:get(meta.stream_id)
    if post and post.Version < meta.version then return post end
end

local function set(view, meta, changes)
    changes.Version = meta.version
    view.Post:update(meta.stream_id, changes)
end

return {
    name = "lookup",

    tables = {
        Post = {
            key = { "PostId" },
            stream_column = "PostId",
            columns = {
                PostId = "text", Author = "text", DatePosted = "time", Message = "text", Likes = "integer",
                CommentCount = "integer", Version = "integer",
            },
            indexes = { { "DatePosted", "PostId" }, { "Author", "DatePosted" }, { "Likes" } },
        },
        Comment = {
            key = { "CommentId" },
            stream_column = "PostId",
            columns = {
                CommentId = "text", PostId = "text", Username = "text", CommentDate = "time", Comment = "text",
                IsEdited = "boolean",
            },
            indexes = { { "PostId", "CommentDate", "CommentId" } },
        },
    },

    on = {
        PostCreated = function(view, data, meta)
            if view.Post:get(meta.stream_id) then return end
            view.Post:insert {
                PostId = meta.stream_id, Author = data.author, DatePosted = data.datePosted, Message = data.message,
                Likes = 0, CommentCount = 0, Version = meta.version,
            }
        end,
        MessageUpdated = function(view, data, meta)
            if unseen(view, meta) then set(view, meta, { Message = data.message }) end
        end,
        PostLiked = function(view, _, meta)
            local post = unseen(view, meta)
            if post then set(view, meta, { Likes = post.Likes + 1 }) end
        end,
        CommentAdded = function(view, data, meta)
            local post = unseen(view, meta)
            if not post then return end
            view.Comment:insert {
                CommentId = data.commentId, PostId = meta.stream_id, Username = data.username,
                CommentDate = data.commentDate, Comment = data.comment, IsEdited = false,
            }
            set(view, meta, { CommentCount = post.CommentCount + 1 })
        end,
        CommentUpdated = function(view, data, meta)
            if not unseen(view, meta) then return end
            view.Comment:update(data.commentId,
                                { Comment = data.comment, CommentDate = data.editDate, IsEdited = true })
            set(view, meta, {})
        end,
        CommentRemoved = function(view, data, meta)
            local post = unseen(view, meta)
            if not post then return end
            local gone = view.Comment:delete(data.commentId)
            set(view, meta, { CommentCount = post.CommentCount - (gone and 1 or 0) })
        end,
        PostRemoved = function(view, _, meta)
            view.Comment:delete_where { PostId = meta.stream_id }
            view.Post:delete(meta.stream_id)
        end,
    },
}
