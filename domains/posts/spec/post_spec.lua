-- SPDX-License-Identifier: MIT
describe("post", function()
    local post = moonlog.aggregate "posts.post"

    local created = { type = "PostCreated", data = { author = "Ada", message = "hello", datePosted = 1000000 } }
    local removed = { type = "PostRemoved", data = {} }
    local function comment(id, username)
        return { type = "CommentAdded", data = { commentId = id, username = username, comment = "nice", commentDate = 2000000 } }
    end
    local function liked(username) return { type = "PostLiked", data = { username = username } } end

    describe("writing", function()
        it("records author, message and time", function()
            post:at("2026-01-01T00:00:00Z"):given {}:when { type = "NewPost", data = { author = "Ada", message = "hello" } }
                :expect { { type = "PostCreated",
                            data = { author = "Ada", message = "hello", datePosted = 1767225600000000 } } }
        end)
        it("refuses a blank author and a blank message", function()
            post:given {}:when { type = "NewPost", data = { author = " ", message = "hello" } }:expect_refusal "blank_author"
            post:given {}:when { type = "NewPost", data = { author = "Ada", message = "" } }:expect_refusal "blank_message"
        end)
        it("wants both fields, and no others", function()
            post:given {}:when { type = "NewPost", data = { author = "Ada" } }:expect_error "bad_input"
            post:given {}:when { type = "NewPost", data = { message = "hello" } }:expect_error "bad_input"
            post:given {}:when { type = "NewPost", data = { author = "Ada", message = "x", mesage = "y" } }:expect_error "bad_input"
        end)
        it("refuses an id that was used, also by a removed post", function()
            local again = { type = "NewPost", data = { author = "Ada", message = "hello" } }
            post:given { created }:when(again):expect_refusal "stream_exists"
            post:given { created, removed }:when(again):expect_refusal "stream_exists"
        end)
    end)

    describe("editing", function()
        it("is the author's, in any case of the name", function()
            post:given { created }:when { type = "EditMessage", data = { message = "bye", username = "ADA" } }
                :expect { { type = "MessageUpdated", data = { message = "bye" } } }
        end)
        it("refuses others, and those who give no name", function()
            post:given { created }:when { type = "EditMessage", data = { message = "bye", username = "Bob" } }
                :expect_refusal "not_author"
            post:given { created }:when { type = "EditMessage", data = { message = "bye" } }
                :expect_refusal "username_required"
        end)
        it("refuses a blank message", function()
            post:given { created }:when { type = "EditMessage", data = { message = " \n", username = "Ada" } }
                :expect_refusal "blank_message"
        end)
    end)

    describe("liking", function()
        it("counts every like without a user", function()
            post:given { created }:when { type = "LikePost", data = {} }:expect_reply { likes = 1 }
                :when { type = "LikePost", data = {} }:expect_reply { likes = 2 }
                :expect { { type = "PostLiked", data = {} } }
        end)
        it("counts one like a user, in any case of the name", function()
            post:given { created, liked "Bob" }:when { type = "LikePost", data = { username = "bob" } }
                :expect_refusal "already_liked"
            post:given { created, liked "Bob" }:when { type = "LikePost", data = { username = "Eve" } }
                :expect { { type = "PostLiked", data = { username = "Eve" } } }
        end)
        it("refuses a blank user", function()
            post:given { created }:when { type = "LikePost", data = { username = "" } }:expect_refusal "blank_username"
        end)
    end)

    describe("commenting", function()
        it("gives the comment's id back", function()
            local result = post:given { created }:when { type = "AddComment", data = { comment = "nice", username = "Bob" } }
            result:expect_events { "CommentAdded" }
            local event = moonlog.json.decode(result.entries[1].data)
            assert.matches("^%x+%-%x+%-%x+%-%x+%-%x+$", event.commentId)
            result:expect_reply { commentId = event.commentId }
        end)
        it("refuses blanks", function()
            post:given { created }:when { type = "AddComment", data = { comment = " ", username = "Bob" } }
                :expect_refusal "blank_comment"
            post:given { created }:when { type = "AddComment", data = { comment = "nice", username = "" } }
                :expect_refusal "blank_username"
            post:given { created }:when { type = "AddComment", data = { comment = "nice" } }:expect_error "bad_input"
        end)
        it("is edited by who wrote it, in any case of the name", function()
            post:at("2026-01-01T00:00:00Z"):given { created, comment("c", "Bob") }
                :when { type = "EditComment", data = { commentId = "c", comment = "better", username = "BOB" } }
                :expect { { type = "CommentUpdated", data = { commentId = "c", comment = "better", username = "BOB",
                                                              editDate = 1767225600000000 } } }
        end)
        it("is not edited by others, to nothing, or when it is not there", function()
            local function edit(id, words, username)
                return post:given { created, comment("c", "Bob") }
                    :when { type = "EditComment", data = { commentId = id, comment = words, username = username } }
            end
            edit("c", "x", "Eve"):expect_refusal "not_comment_owner"
            edit("c", " ", "Bob"):expect_refusal "blank_comment"
            edit("d", "x", "Bob"):expect_refusal "no_such_comment"
        end)
        it("is removed by who wrote it", function()
            local function remove(id, username)
                return post:given { created, comment("c", "Bob") }
                    :when { type = "RemoveComment", data = { commentId = id, username = username } }
            end
            remove("c", "bob"):expect { { type = "CommentRemoved", data = { commentId = "c" } } }
                :when { type = "RemoveComment", data = { commentId = "c", username = "Bob" } }
                :expect_refusal "no_such_comment"
            remove("c", "Ada"):expect_refusal "not_comment_owner"
            remove("d", "Bob"):expect_refusal "no_such_comment"
        end)
    end)

    describe("removing", function()
        it("is the author's, in any case of the name", function()
            post:given { created }:when { type = "DeletePost", data = { username = "ada" } }
                :expect { { type = "PostRemoved", data = {} } }
            post:given { created }:when { type = "DeletePost", data = { username = "Bob" } }:expect_refusal "not_author"
            post:given { created }:when { type = "DeletePost", data = {} }:expect_error "bad_input"
        end)
        it("is for good: nothing happens to a removed post", function()
            for command, data in pairs {
                EditMessage = { message = "x", username = "Ada" }, LikePost = {}, DeletePost = { username = "Ada" },
                AddComment = { comment = "x", username = "Bob" },
                EditComment = { commentId = "c", comment = "x", username = "Bob" },
                RemoveComment = { commentId = "c", username = "Bob" },
            } do
                post:given { created, comment("c", "Bob"), removed }:when { type = command, data = data }
                    :expect_refusal "post_removed"
            end
        end)
        it("forgets comments and likes", function()
            post:given { created, comment("c", "Bob"), liked "Bob", removed }
                :expect_state { status = "removed", author = "Ada", likes = 1, comments = {}, liked_by = {} }
        end)
    end)

    it("commands on a post that never was are refused", function()
        for command, data in pairs {
            EditMessage = { message = "x", username = "Ada" }, LikePost = {}, DeletePost = { username = "Ada" },
            AddComment = { comment = "x", username = "Bob" },
            EditComment = { commentId = "c", comment = "x", username = "Bob" },
            RemoveComment = { commentId = "c", username = "Bob" },
        } do
            post:given {}:when { type = command, data = data }:expect_refusal "no_such_stream"
        end
    end)

    describe("bugs of the originals:", function()
        it("a first event could not be saved", function()
            post:given {}:when { type = "NewPost", data = { author = "Ada", message = "hello" } }
                :expect_events { "PostCreated" }
                :when { type = "LikePost", data = {} }:expect_events { "PostLiked" }
        end)
        it("messages lost all but id, version and type", function()
            post:at("2026-01-01T00:00:00Z"):given {}
                :when { type = "NewPost", data = { author = "Ada", message = "hello" } }
                :expect_messages { { type = "PostCreatedEvent", topic = "SocialMediaPostEvents",
                                     data = { Id = "1", Version = 0, Type = "PostCreatedEvent", Author = "Ada",
                                              Message = "hello", DatePosted = "2026-01-01T00:00:00.000000Z" } } }
            post:at("2026-01-01T00:00:00Z"):given { created, comment("c", "Bob") }
                :when { type = "EditComment", data = { commentId = "c", comment = "better", username = "Bob" } }
                :expect_messages { { type = "CommentUpdatedEvent", topic = "SocialMediaPostEvents",
                                     data = { Id = "1", Version = 2, Type = "CommentUpdatedEvent", CommentId = "c",
                                              Comment = "better", Username = "Bob",
                                              EditDate = "2026-01-01T00:00:00.000000Z" } } }
        end)
        it("some events were sent nowhere", function()
            local past = { created, comment("c", "Bob") }
            for command, data in pairs {
                EditMessage = { message = "x", username = "Ada" }, LikePost = {}, DeletePost = { username = "Ada" },
                AddComment = { comment = "x", username = "Bob" },
                EditComment = { commentId = "c", comment = "x", username = "Bob" },
                RemoveComment = { commentId = "c", username = "Bob" },
            } do
                local result = post:given(past):when { type = command, data = data }:expect_accepted()
                local event, message = result.entries[1], result.entries[2]
                result:expect_messages { { type = event.type .. "Event", topic = "SocialMediaPostEvents" } }
                assert.equal(2, #result.entries)
                assert.equal("message", message.kind)
            end
        end)
        it("clock and ids were taken in the aggregate", function()
            local scenario = post:given { created }:seed(7)
            local add = { type = "AddComment", data = { comment = "nice", username = "Bob" } }
            local first, second = scenario:when(add), scenario:when(add)
            assert.equal(first.entries[1].data, second.entries[1].data)
            first:expect_deterministic()
            assert.equal(1767225600000000, moonlog.json.decode(first.entries[1].data).commentDate)
        end)
        it("an unknown comment was a raw key error", function()
            post:given { created }:when { type = "EditComment", data = { commentId = "?", comment = "x", username = "Bob" } }
                :expect_refusal "no_such_comment"
        end)
        it("who may not remove was told that they may not edit", function()
            local past = post:given { created, comment("c", "Bob") }
            local remove = past:when { type = "RemoveComment", data = { commentId = "c", username = "Eve" } }
            assert.matches("remove", remove:expect_refusal "not_comment_owner".message)
            local edit = past:when { type = "EditComment", data = { commentId = "c", comment = "x", username = "Eve" } }
            assert.matches("edit", edit:expect_refusal "not_comment_owner".message)
            local delete = past:when { type = "DeletePost", data = { username = "Eve" } }
            assert.matches("remove", delete:expect_refusal "not_author".message)
        end)
    end)

    it("folds the same on every machine and through JSON", function()
        post:given { created, comment("c", "Bob"), comment("d", "Eve"), liked "Bob", liked(),
                     { type = "CommentRemoved", data = { commentId = "d" } } }
            :expect_deterministic():expect_survives_json()
            :expect_state { status = "active", author = "Ada", likes = 2, liked_by = { bob = true },
                            comments = { c = { comment = "nice", username = "Bob" } } }
    end)
end)
