"""What happened, counted: every drop, gap, denial and repair raises a counter with a reason (invariant I19)."""

from prometheus_client import Counter, Gauge

captured = Counter("realtime_events_captured", "Events written by the capture, by feed", ["feed"])
settled = Counter("realtime_events_settled", "Events that got their global position")
published = Counter("realtime_hints_published", "Hints handed to the bus, by outcome", ["outcome"])
heard = Counter("realtime_bus_messages", "Messages heard on the bus, by kind", ["kind"])
sent = Counter("realtime_frames_sent", "Frames written to sockets, by feed", ["feed"])
skipped = Counter("realtime_updates_skipped", "Updates not sent to a socket, by reason", ["reason"])
repaired = Counter("realtime_catch_ups", "Reads that closed a gap, by what found it", ["found_by"])
refused = Counter("realtime_refusals", "Sockets, streams and requests refused or ended, by code", ["code"])
streams_ended = Counter("realtime_streams_ended", "Event streams that ended, by reason", ["reason"])
polls = Counter("realtime_polls", "Polls answered, by outcome", ["outcome"])
resumed = Counter("realtime_resumptions", "Returns of clients with cursors, by outcome", ["outcome"])
topics_refused = Counter("realtime_topics_refused", "Topics refused or taken away, by reason", ["reason"])
over_limits = Counter("realtime_over_limits", "Refusals by a limit, by limit and by who counted", ["limit", "counted"])
counted_alone = Counter(
    "realtime_counted_alone", "Questions to the shared count without an answer, by reason", ["reason"]
)
addresses_forgotten = Counter("realtime_addresses_forgotten", "Addresses that gave way to others in a full table")
failures = Counter("realtime_failures", "Work that failed and is tried again, by part", ["part"])
members = Gauge("realtime_sockets", "Sockets served by this process")
bus_alive = Gauge("realtime_bus_alive", "1 while this process hears its own nonce on the bus")
