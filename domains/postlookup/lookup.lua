-- SPDX-License-Identifier: MIT
-- The posts' read side as a domain of its own, made of what they send to their topic: a row a post, a row a comment.
-- Each message names the version it tells of (theirs begin at 0); one that a post's row has seen already changes
-- nothing.
local settings = require "settings"

local function unseen(view, data)
    local post = view.Post:get(data.Id)
    if post and post.Version < data.Version then return post end
end

local function set(view, data, changes)
    changes.Version = data.Version
    view.Post:update(data.Id, changes)
end

return {
    name = "lookup",
    topics = { settings.topic },

    tables = {
        Post = {
            key = { "PostId" },
            columns = {
                PostId = "text", Author = "text", DatePosted = "time", Message = "text", Likes = "integer",
                CommentCount = "integer", Version = "integer",
            },
            indexes = { { "DatePosted", "PostId" }, { "Author", "DatePosted" }, { "Likes" } },
        },
        Comment = {
            key = { "CommentId" },
            columns = {
                CommentId = "text", PostId = "text", Username = "text", CommentDate = "time", Comment = "text",
                IsEdited = "boolean",
            },
            indexes = { { "PostId", "CommentDate", "CommentId" } },
        },
    },

    on = {
        PostCreatedEvent = function(view, data)
            if view.Post:get(data.Id) then return end
            view.Post:insert {
                PostId = data.Id, Author = data.Author, DatePosted = time.parse(data.DatePosted),
                Message = data.Message,
                Likes = 0, CommentCount = 0, Version = data.Version,
            }
        end,
        MessageUpdatedEvent = function(view, data)
            if unseen(view, data) then set(view, data, { Message = data.Message }) end
        end,
        PostLikedEvent = function(view, data)
            local post = unseen(view, data)
            if post then set(view, data, { Likes = post.Likes + 1 }) end
        end,
        CommentAddedEvent = function(view, data)
            local post = unseen(view, data)
            if not post then return end
            view.Comment:insert {
                CommentId = data.CommentId, PostId = data.Id, Username = data.Username,
                CommentDate = time.parse(data.CommentDate), Comment = data.Comment, IsEdited = false,
            }
            set(view, data, { CommentCount = post.CommentCount + 1 })
        end,
        CommentUpdatedEvent = function(view, data)
            if not unseen(view, data) then return end
            view.Comment:update(data.CommentId,
                                { Comment = data.Comment, CommentDate = time.parse(data.EditDate), IsEdited = true })
            set(view, data, {})
        end,
        CommentRemovedEvent = function(view, data)
            local post = unseen(view, data)
            if not post then return end
            local gone = view.Comment:delete(data.CommentId)
            set(view, data, { CommentCount = post.CommentCount - (gone and 1 or 0) })
        end,
        PostRemovedEvent = function(view, data)
            view.Comment:delete_where { PostId = data.Id }
            view.Post:delete(data.Id)
        end,
    },
}
