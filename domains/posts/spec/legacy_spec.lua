-- SPDX-License-Identifier: MIT
-- What the originals recorded, as it was: their spelling, their dates, in capitals and not.
describe("recorded by the originals", function()
    local post = moonlog.upcaster "posts.post"

    local function becomes(kind, json, today)
        post:given_bytes { type = kind, version = 1, json = json }:expect { today }
    end

    it("a like was a PostLike, later a PostLiked", function()
        local today = { type = "PostLiked", version = 2, data = {} }
        becomes("PostLike", '{"Id":"p","Version":1,"Type":"PostLikeEvent"}', today)
        becomes("PostLiked", '{"id":"p","version":1,"type":"PostLikedEvent"}', today)
    end)
    it("a comment had a CommendId", function()
        local added = { type = "CommentAdded", version = 2,
                        data = { commentId = "c", username = "Bob", comment = "nice", commentDate = 1724404364123456 } }
        becomes("CommentAdded", [[{"Id":"p","Version":2,"Type":"CommentAddedEvent","CommendId":"c","Username":"Bob",
            "Comment":"nice","CommentDate":"2024-08-23T09:12:44.1234567Z"}]], added)
        becomes("CommentAdded", [[{"id":"p","version":2,"type":"CommentAddedEvent","commendId":"c","username":"Bob",
            "comment":"nice","commentDate":"2024-08-23T12:12:44.1234567+03:00"}]], added)
        becomes("CommentAdded", [[{"CommentId":"c","Username":"Bob","Comment":"nice",
            "CommentDate":{"$date":"2024-08-23T09:12:44.123456Z"}}]], added)
        becomes("CommentUpdated", [[{"CommendId":"c","Username":"Bob","Comment":"nice","EditDate":"2024-08-23T09:12:44"}]],
                { type = "CommentUpdated", version = 2,
                  data = { commentId = "c", username = "Bob", comment = "nice", editDate = 1724404364000000 } })
        becomes("CommentRemoved", '{"commendId":"c"}', { type = "CommentRemoved", version = 2, data = { commentId = "c" } })
    end)
    it("a post had capitals, or not, and blanks for nothing", function()
        local today = { type = "PostCreated", version = 2, data = { author = "Ada", message = "", datePosted = 1724404364000000 } }
        becomes("PostCreated", [[{"Id":"p","Version":0,"Type":"PostCreatedEvent","Author":"Ada","Message":null,
            "DatePosted":"2024-08-23T09:12:44Z"}]], today)
        becomes("PostCreated", '{"author":"Ada","message":"","datePosted":"2024-08-23T09:12:44Z"}', today)
        becomes("MessageUpdated", '{"Message":"bye"}', { type = "MessageUpdated", version = 2, data = { message = "bye" } })
        becomes("PostRemoved", '{"Id":"p","Version":9}', { type = "PostRemoved", version = 2, data = {} })
    end)
    it("a date that is none stops there", function()
        post:given_bytes { type = "PostCreated", version = 1, json = '{"Author":"Ada","DatePosted":"yesterday"}' }
            :expect_error "script_error"
    end)
    it("goes on living: old events, new commands", function()
        moonlog.aggregate "posts.post":given {
            { type = "PostCreated", version = 1, json = '{"Author":"Ada","Message":"hello","DatePosted":"2024-08-23T09:12:44Z"}' },
            { type = "PostLike", version = 1, json = '{"Id":"p"}' },
            { type = "CommentAdded", version = 1,
              json = '{"CommendId":"c","Username":"Bob","Comment":"nice","CommentDate":"2024-08-23T09:12:44Z"}' },
        }:when { type = "EditComment", data = { commentId = "c", comment = "better", username = "Bob" } }
            :expect_events { "CommentUpdated" }
            :expect_state { status = "active", author = "Ada", likes = 1, liked_by = {},
                            comments = { c = { comment = "better", username = "Bob" } } }
    end)
end)
