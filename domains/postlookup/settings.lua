-- SPDX-License-Identifier: MIT
return {
    author_search = "part", -- "exact": byAuthor wants the whole name
    topic = "SocialMediaPostEvents",
}
