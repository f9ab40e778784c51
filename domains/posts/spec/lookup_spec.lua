-- SPDX-License-Identifier: MIT
describe("lookup", function()
    local lookup = moonlog.projection "posts.lookup"

    local function event(id, kind, data) return { type = kind, stream = "posts.post/" .. id, data = data or {} } end
    local function created(id, author, at)
        return event(id, "PostCreated", { author = author or "Ada", message = "hello " .. id, datePosted = at or 1000000 })
    end
    local function comment(id, commentId, at)
        return event(id, "CommentAdded", { commentId = commentId, username = "Bob", comment = "nice", commentDate = at or 2000000 })
    end
    local function liked(id) return event(id, "PostLiked") end

    it("a new post is a row without likes", function()
        lookup:given { created "a" }:expect_rows("Post", {
            { PostId = "a", Author = "Ada", DatePosted = 1000000, Message = "hello a", Likes = 0, CommentCount = 0, Version = 1 },
        }):expect_count("Comment", 0)
    end)
    it("edits and likes change it", function()
        lookup:given { created "a", event("a", "MessageUpdated", { message = "bye" }), liked "a", liked "a" }
            :expect_row("Post", { PostId = "a" }, { Message = "bye", Likes = 2, Version = 4 })
    end)
    it("a comment is a row, edited and removed", function()
        local edit = event("a", "CommentUpdated", { commentId = "c", username = "Bob", comment = "better", editDate = 3000000 })
        lookup:given { created "a", comment("a", "c"), comment("a", "d"), edit }
            :expect_row("Comment", { CommentId = "c" }, { PostId = "a", Username = "Bob", Comment = "better",
                                                          CommentDate = 3000000, IsEdited = true })
            :expect_row("Comment", { CommentId = "d" }, { Comment = "nice", IsEdited = false })
            :expect_row("Post", { PostId = "a" }, { CommentCount = 2 })
        lookup:given { created "a", comment("a", "c"), comment("a", "d"), event("a", "CommentRemoved", { commentId = "c" }) }
            :expect_no_row("Comment", { CommentId = "c" })
            :expect_row("Post", { PostId = "a" }, { CommentCount = 1, Version = 4 })
    end)
    it("a removed post takes its comments along, and no others", function()
        lookup:given { created "a", created "b", comment("a", "c"), comment("b", "d"), event("a", "PostRemoved") }
            :expect_no_row("Post", { PostId = "a" }):expect_no_row("Comment", { CommentId = "c" })
            :expect_count("Post", 1):expect_count("Comment", 1)
    end)
    it("what is not there is passed over", function()
        lookup:given { liked "a", comment("a", "c"), event("a", "CommentRemoved", { commentId = "c" }), event("a", "PostRemoved") }
            :expect_count("Post", 0):expect_count("Comment", 0)
    end)
    it("bug of the originals: likes that came twice counted twice", function()
        lookup:given { created "a", liked "a", liked "a", comment("a", "c"), comment("a", "d"),
                       event("a", "CommentRemoved", { commentId = "d" }),
                       event("a", "MessageUpdated", { message = "bye" }), created "b", event("b", "PostRemoved") }
            :expect_row("Post", { PostId = "a" }, { Likes = 2, CommentCount = 1 })
            :twice():expect_deterministic()
    end)

    describe("queries", function()
        local past = {
            created("a", "Ada", 3000000), created("b", "Bob", 2000000), created("c", "Adam", 1000000),
            liked "a", liked "a", liked "b", comment("b", "late", 9000000), comment("b", "early", 8000000),
        }
        local function post(id, author, at, likes, comments)
            return { postId = id, author = author, datePosted = ("1970-01-01T00:00:0%d.000000Z"):format(at),
                     message = "hello " .. id, likes = likes, comments = comments or {} }
        end
        local function said(id, at)
            return { commentId = id, postId = "b", username = "Bob", comment = "nice", isEdited = false,
                     commentDate = ("1970-01-01T00:00:0%d.000000Z"):format(at) }
        end
        local a, c = post("a", "Ada", 3, 2), post("c", "Adam", 1, 0)
        local b = post("b", "Bob", 2, 1, { said("early", 8), said("late", 9) })
        local function ask(query, params) return moonlog.query("posts." .. query):given(past):with(params or {}) end

        it("all posts, with comments, in order", function()
            ask "FindAllPosts":expect { posts = { c, b, a }, message = "3 posts", total = 3 }
            ask("FindAllPosts", { order = "-likes" }):expect { posts = { a, b, c }, message = "3 posts", total = 3 }
            ask("FindAllPosts", { limit = 1, offset = 1 }):expect { posts = { b }, message = "1 post", total = 3 }
            moonlog.query "posts.FindAllPosts":given {}:with {}:expect { posts = {}, message = "0 posts", total = 0 }
        end)
        it("one post, or none", function()
            ask("FindPostById", { id = "a" }):expect { posts = { a }, message = "1 post", total = 1 }
            ask("FindPostById", { id = "z" }):expect_refusal "no_such_post"
        end)
        it("by a part of the author's name, or by all of it", function()
            ask("FindPostsWithAuthor", { author = "aDa" }):expect { posts = { c, a }, message = "2 posts", total = 2 }
            ask("FindPostsWithAuthor", { author = "da", order = "-datePosted", limit = 1 })
                :expect { posts = { a }, message = "1 post", total = 2 }
            ask("FindPostsWithAuthor", { author = "da", offset = 5 }):expect { posts = {}, message = "0 posts", total = 2 }
            ask("FindPostsWithAuthor", { author = "Ada", search = "exact" })
                :expect { posts = { a }, message = "1 post", total = 1 }
            ask("FindPostsWithAuthor", { author = "%" }):expect { posts = {}, message = "0 posts", total = 0 }
        end)
        it("with comments", function()
            ask "FindPostsWithComments":expect { posts = { b }, message = "1 post", total = 1 }
        end)
        it("bug of the originals: likes took no number and gave every post", function()
            ask("FindPostsWithLikes", { n = 1 }):expect { posts = { b, a }, message = "2 posts", total = 2 }
            ask("FindPostsWithLikes", { n = 2 }):expect { posts = { a }, message = "1 post", total = 1 }
            ask("FindPostsWithLikes", { n = 3 }):expect { posts = {}, message = "0 posts", total = 0 }
            ask("FindPostsWithLikes"):expect_error "bad_input"
        end)
        it("a rebuild is no request's to order", function()
            ask "RestoreReadDb":expect_refusal "operators_order"
        end)
    end)
end)
