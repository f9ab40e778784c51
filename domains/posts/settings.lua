-- SPDX-License-Identifier: MIT
-- What a site may want otherwise. The values here refuse more than the systems this domain follows did; each comment
-- says how to have theirs.
return {
    edit_needs_author = true,   -- false: anyone may edit a post's message, unnamed
    blank_allowed = false,      -- true: blank authors, first messages, user names and edited comments
    owner_ignores_case = true,  -- false: "Ada" may not touch the comments of "ada"
    author_search = "part",     -- "exact": byAuthor wants the whole name
    topic = "SocialMediaPostEvents",
}
