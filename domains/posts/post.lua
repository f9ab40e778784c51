-- SPDX-License-Identifier: MIT
-- A post: written once, edited by its author, liked, commented by anyone, removed for good.

local originals = require "originals"

-- Version 1 of an event is what the originals recorded, in their spelling.
local function event(fields, apply, renamed)
    return {
        version = 2,
        data = fields,
        upcast = { [1] = originals.upcast(fields, renamed) },
        apply = apply,
        publish = originals.publish(fields),
    }
end

local spelled = { commentId = "commendId" } -- sic

local function is_blank(text)
    return not text:find "%S"
end

local function blank(what)
    return nil, { code = "blank_" .. what, message = "the " .. what .. " is blank" }
end

local function same_user(a, b, ignores_case)
    if ignores_case then return a:lower() == b:lower() end
    return a == b
end

-- Everything but writing a post wants it to be there still.
local function if_active(handle)
    return function(state, data, ctx)
        if state.status ~= "active" then return nil, { code = "post_removed", message = "the post was removed" } end
        return handle(state, data, ctx)
    end
end

-- A comment that is there and the user's own, or a refusal. `doing`: edit, remove.
local function obstacle(state, data, ctx, doing)
    local comment = state.comments[data.commentId]
    if not comment then
        return { code = "no_such_comment", status = 404, message = "the post has no comment " .. data.commentId }
    end
    if not same_user(comment.username, data.username, ctx.settings.owner_ignores_case) then
        return { code = "not_comment_owner", message = "only who wrote a comment may " .. doing .. " it" }
    end
end

local text = { type = "string" }
local id = { type = "string", min_length = 1, max_length = 200 }

return {
    name = "post",
    state_version = 1,
    initial = function() return { status = "none", likes = 0, comments = {}, liked_by = {} } end,

    events = {
        PostCreated = event({ author = "string", message = "string", datePosted = "time" }, function(state, data)
            state.status = "active"
            state.author = data.author
            return state
        end),
        MessageUpdated = event({ message = "string" }, function(state) return state end),
        PostLiked = event({ username = "string?" }, function(state, data)
            state.likes = state.likes + 1
            if data.username then state.liked_by[data.username:lower()] = true end
            return state
        end),
        CommentAdded = event({ commentId = "string", username = "string", comment = "string", commentDate = "time" },
                             function(state, data)
            state.comments[data.commentId] = { comment = data.comment, username = data.username }
            return state
        end, spelled),
        CommentUpdated = event({ commentId = "string", username = "string", comment = "string", editDate = "time" },
                               function(state, data)
            state.comments[data.commentId] = { comment = data.comment, username = data.username }
            return state
        end, spelled),
        CommentRemoved = event({ commentId = "string" }, function(state, data)
            state.comments[data.commentId] = nil
            return state
        end, spelled),
        PostRemoved = event({}, function(state)
            state.status = "removed"
            state.comments, state.liked_by = {}, {}
            return state
        end),
    },

    retired = {
        PostLike = { -- knew no user
            upcast = { [1] = function() return { { type = "PostLiked", version = 2, data = {} } } end },
        },
    },

    commands = {
        NewPost = {
            creates = true,
            data = { author = text, message = text },
            handle = function(_, data, ctx)
                if not ctx.settings.blank_allowed then
                    if is_blank(data.author) then return blank "author" end
                    if is_blank(data.message) then return blank "message" end
                end
                return { { type = "PostCreated",
                           data = { author = data.author, message = data.message, datePosted = ctx:now() } } }
            end,
        },

        EditMessage = {
            data = { message = text, username = "string?" },
            handle = if_active(function(state, data, ctx)
                if is_blank(data.message) then return blank "message" end
                if ctx.settings.edit_needs_author then
                    if not data.username then
                        return nil, { code = "username_required", message = "say by username who edits: only the author may" }
                    end
                    if not same_user(state.author, data.username, true) then
                        return nil, { code = "not_author", message = "only the author may edit a post" }
                    end
                end
                return { { type = "MessageUpdated", data = { message = data.message } } }
            end),
        },

        LikePost = {
            data = { username = "string?" },
            reply = { likes = "integer" },
            handle = if_active(function(state, data)
                if data.username and is_blank(data.username) then return blank "username" end
                if data.username and state.liked_by[data.username:lower()] then
                    return nil, { code = "already_liked", message = data.username .. " likes the post already" }
                end
                return { { type = "PostLiked", data = { username = data.username } } }, { likes = state.likes + 1 }
            end),
        },

        AddComment = {
            data = { comment = text, username = text },
            reply = { commentId = "string" },
            handle = if_active(function(_, data, ctx)
                if is_blank(data.comment) then return blank "comment" end
                if is_blank(data.username) and not ctx.settings.blank_allowed then return blank "username" end
                local comment = ctx:uuid()
                return { { type = "CommentAdded", data = { commentId = comment, username = data.username,
                                                           comment = data.comment, commentDate = ctx:now() } } },
                       { commentId = comment }
            end),
        },

        EditComment = {
            data = { commentId = id, comment = text, username = text },
            handle = if_active(function(state, data, ctx)
                local refusal = obstacle(state, data, ctx, "edit")
                if refusal then return nil, refusal end
                if is_blank(data.comment) and not ctx.settings.blank_allowed then return blank "comment" end
                return { { type = "CommentUpdated", data = { commentId = data.commentId, username = data.username,
                                                             comment = data.comment, editDate = ctx:now() } } }
            end),
        },

        RemoveComment = {
            data = { commentId = id, username = text },
            handle = if_active(function(state, data, ctx)
                local refusal = obstacle(state, data, ctx, "remove")
                if refusal then return nil, refusal end
                return { { type = "CommentRemoved", data = { commentId = data.commentId } } }
            end),
        },

        DeletePost = {
            data = { username = text },
            handle = if_active(function(state, data)
                if not same_user(state.author, data.username, true) then
                    return nil, { code = "not_author", message = "only the author may remove a post" }
                end
                return { { type = "PostRemoved", data = {} } }
            end),
        },
    },
}
