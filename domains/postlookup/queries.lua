-- SPDX-License-Identifier: MIT
-- What PostLookup answers: posts with their comments, in the names its clients know.

local MOST = 1000 -- rows of one find

local orders = { datePosted = "DatePosted", likes = "Likes", author = "Author" }

local function paged(params)
    params.order = { type = "string", default = "datePosted",
                     enum = { "datePosted", "-datePosted", "likes", "-likes", "author", "-author" } }
    params.limit = { type = "integer", minimum = 1, maximum = MOST, default = MOST }
    params.offset = { type = "integer", minimum = 0, default = 0 }
    return params
end

local answer = { fields = {
    posts = { array = { fields = {
        postId = "string", author = "string", datePosted = "time", message = "string", likes = "integer",
        comments = { array = { fields = {
            commentId = "string", postId = "string", username = "string", commentDate = "time", comment = "string",
            isEdited = "boolean",
        } } },
    } } },
    message = "string",
    total = "integer", -- without limit and offset
} }

local function comments_of(view, post)
    local comments = json.array {}
    repeat
        local rows = view.Comment:find { where = { PostId = post.PostId }, order = { "CommentDate", "CommentId" },
                                         limit = MOST, offset = #comments }
        for _, row in ipairs(rows) do
            comments[#comments + 1] = {
                commentId = row.CommentId, postId = row.PostId, username = row.Username, commentDate = row.CommentDate,
                comment = row.Comment, isEdited = row.IsEdited,
            }
        end
    until #rows < MOST
    return comments
end

local function show(view, rows, total)
    local posts = json.array {}
    for i, row in ipairs(rows) do
        posts[i] = {
            postId = row.PostId, author = row.Author, datePosted = row.DatePosted, message = row.Message,
            likes = row.Likes, comments = row.CommentCount > 0 and comments_of(view, row) or json.array {},
        }
    end
    return { posts = posts, message = #posts .. (#posts == 1 and " post" or " posts"), total = total }
end

local function order_of(params)
    local descending, field = params.order:match "^(%-?)(.*)$"
    return orders[field], descending ~= ""
end

local function find(view, where, params)
    local column, descending = order_of(params)
    local rows = view.Post:find { where = where, order = { (descending and "-" or "") .. column, "PostId" },
                                  limit = params.limit, offset = params.offset }
    return show(view, rows, view.Post:count { where = where })
end

-- No index knows the middle of a name: all posts are looked at, page by page.
local function find_part(view, part, params)
    local found, last = {}, ""
    part = part:lower()
    repeat
        local rows = view.Post:find { where = { PostId = { ">", last } }, order = "PostId", limit = MOST }
        for _, row in ipairs(rows) do
            if row.Author:lower():find(part, 1, true) then found[#found + 1] = row end
            last = row.PostId
        end
    until #rows < MOST
    local column, descending = order_of(params)
    table.sort(found, function(a, b)
        if a[column] == b[column] then return a.PostId < b.PostId end
        if descending then a, b = b, a end
        return a[column] < b[column]
    end)
    local page = table.move(found, params.offset + 1, math.min(params.offset + params.limit, #found), 1, {})
    return show(view, page, #found)
end

return {
    queries = {
        FindAllPosts = {
            summary = "All posts",
            params = paged {}, returns = answer,
            run = function(view, params) return find(view, {}, params) end,
        },
        FindPostById = {
            summary = "One post",
            params = { id = "string" }, returns = answer,
            run = function(view, params)
                local post = view.Post:get(params.id)
                if not post then
                    return nil, { code = "no_such_post", status = 404, message = "there is no post " .. params.id }
                end
                return show(view, { post }, 1)
            end,
        },
        FindPostsWithAuthor = {
            summary = "Posts by a part of their author's name, or by all of it",
            params = paged { author = "string", search = { type = "string", optional = true, enum = { "part", "exact" } } },
            returns = answer,
            run = function(view, params, ctx)
                if (params.search or ctx.settings.author_search) == "exact" then
                    return find(view, { Author = params.author }, params)
                end
                return find_part(view, params.author, params)
            end,
        },
        FindPostsWithComments = {
            summary = "Posts that have a comment",
            params = paged {}, returns = answer,
            run = function(view, params) return find(view, { CommentCount = { ">=", 1 } }, params) end,
        },
        FindPostsWithLikes = {
            summary = "Posts with at least n likes",
            params = paged { n = { type = "integer", minimum = 0 } }, returns = answer,
            run = function(view, params) return find(view, { Likes = { ">=", params.n } }, params) end,
        },
    },
}
