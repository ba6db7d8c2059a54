"""The memory of the hub. Times are milliseconds UTC (BIGINT), JSON is text, ids come from `sql.allocate`.

Order of record is the order of ids: messages and events share one counter and are committed in its order.
"""

from hub.tables.caring import consents, orders, todos
from hub.tables.chatting import chat_sites, handovers, ratings, unread_chats
from hub.tables.columns import metadata
from hub.tables.contacts import (
    attachments,
    conversations,
    customers,
    deliveries,
    early_receipts,
    identities,
    merges,
    messages,
    participants,
    tags,
    tombstones,
)
from hub.tables.house import (
    absences,
    channels,
    counters,
    cursors,
    employees,
    events,
    facts,
    hours,
    journal,
    leases,
    one_time_links,
    presence,
    sessions,
    team_members,
    teams,
    tokens,
)
from hub.tables.looking import heights, picture_senders
from hub.tables.notices import notice_wishes, push_subscriptions, pushes
from hub.tables.routing import (
    offers,
    routing_rules,
    simulations,
    sla_clocks,
    sla_policies,
)
from hub.tables.sample import samples
from hub.tables.views import mentions, saved_views
from hub.tables.watching import blocked, links, watchers
from hub.tables.working import action_steps, actions, joins
from hub.tables.writing import draft_files, drafts, holds, modes, plan_files, plans, saved_replies

__all__ = [
    "absences",
    "action_steps",
    "actions",
    "attachments",
    "blocked",
    "channels",
    "chat_sites",
    "consents",
    "conversations",
    "counters",
    "cursors",
    "customers",
    "deliveries",
    "draft_files",
    "drafts",
    "early_receipts",
    "employees",
    "events",
    "facts",
    "handovers",
    "heights",
    "holds",
    "hours",
    "identities",
    "joins",
    "journal",
    "leases",
    "links",
    "mentions",
    "merges",
    "messages",
    "metadata",
    "modes",
    "notice_wishes",
    "offers",
    "one_time_links",
    "orders",
    "participants",
    "picture_senders",
    "plan_files",
    "plans",
    "presence",
    "push_subscriptions",
    "pushes",
    "ratings",
    "routing_rules",
    "samples",
    "saved_replies",
    "saved_views",
    "sessions",
    "simulations",
    "sla_clocks",
    "sla_policies",
    "tags",
    "team_members",
    "teams",
    "todos",
    "tokens",
    "tombstones",
    "unread_chats",
    "watchers",
]
