-- A database of the version before approvals were rows: its `breakglass serve` made it of a request in each state, and of a
-- grant whose token was taken.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(20261122000000,'requests revocations audit','2026-11-27 12:03:10',1,X'1627372F5FC5C3742F3D5763A4F58BB09B758C3DE8F3F0CD589054424200B2A1132F148C2166EE65602099106D6A7BEA',3720305);
INSERT INTO "_sqlx_migrations" VALUES(20261122120000,'feed','2026-11-27 12:03:10',1,X'D4EC495CABD25E67F0AFF18A5299A91FEC4B39926D7A82373676BE411A69A3806DA7DED814515E26F572E28732EE5C1A',7824483);
INSERT INTO "_sqlx_migrations" VALUES(20261122120100,'kill switch','2026-11-27 12:03:10',1,X'CF3BFB00D792B3353C9AF46275DB6AF10E8DE53B5652CA88219902AAD8867967F12373AE7F474FCA40078D4A2F51B18A',449464);
INSERT INTO "_sqlx_migrations" VALUES(20261122130000,'audit heads','2026-11-27 12:03:10',1,X'607CE6B1456F7D674801DA0E0AE39032A10B0966685E058C21002BE27C91518D4145493274EBBDE121106651A582EE28',625279);
INSERT INTO "_sqlx_migrations" VALUES(20261126090000,'head owners','2026-11-27 12:03:10',1,X'F128D414E6433702851650544FAA1628AC2C1FE80832AAFC84B344BB878C2C14B5798A0B7A5133332E165F0262F09632',2417497);
INSERT INTO "_sqlx_migrations" VALUES(20261126120000,'service trail','2026-11-27 12:03:10',1,X'4DDAEDE5B66012AF2D79AB98E162013EC6BB46CBB30912765DE31A1D27FBCA6274B3BEF76EFAFAEF55A884C39011A978',960389);
INSERT INTO "_sqlx_migrations" VALUES(20261126121000,'clock','2026-11-27 12:03:10',1,X'9901356B4608C19F69F8A2730535F01326D48E15DED4EE99F8D44BC17CEC95B5071278D3A4060631C9E2A4A232D5DCB1',2001822);
INSERT INTO "_sqlx_migrations" VALUES(20261126123000,'epoch tags','2026-11-27 12:03:10',1,X'0F8652F447E94ED72705F90FB28365D8677B1FBE095D850294F8F8978CF4BF100A599AA8E0C13DC8D9F02D9EDCE2EC4C',1127340);
INSERT INTO "_sqlx_migrations" VALUES(20261126124000,'request lists','2026-11-27 12:03:10',1,X'9ABCCF6844C64DA08693270F494FF99F961F741005BA2EA4C43797ABD1658D02DE7A44C94190D73574A3105866F5FEE2',1056783);
INSERT INTO "_sqlx_migrations" VALUES(20261126125000,'people','2026-11-27 12:03:10',1,X'9464E7BBC23D7BF4585AE2C0FA965B282EDE9B65235CE0006C3357047D26BA661492375F95AE36073C7A187E7BE28F46',1812552);
INSERT INTO "_sqlx_migrations" VALUES(20261127090000,'request digests','2026-11-27 12:03:10',1,X'85FC28DD3428C5718F09E9A259D372777444F1A0CADD0152B7CCB928C006020A243AA238DD9A404D076DB082D6FA1FC7',1071715);
INSERT INTO "_sqlx_migrations" VALUES(20261127100000,'scope rules','2026-11-27 12:03:10',1,X'6A50922D80270C18DE6DCFBCA4F57EC71EEBCF2B09CCF2EF04B331518B10D29F9928B445677009EF7C7FBC3CC345BBD8',369662);
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms      INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL CHECK (
        action IN ('submit', 'approve', 'deny', 'cancel', 'issue_token', 'revoke')
    ),
    request_id TEXT NOT NULL REFERENCES requests (id),
    jti        TEXT,
    detail     TEXT NOT NULL CHECK (json_valid(detail))
) STRICT;
INSERT INTO "audit" VALUES(1,1795780992113,'alice','submit','req_01M8EE6Q3H93J39GQG2F3GM9R5',NULL,'{"audience":"prod","digest":"c4a90dd0e60c679ca3ef34250e716990ef425da87140b55a917c15024c46536c","duration_s":86400,"emergency":false,"groups":["oncall","loners"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scope_digests":{"orders:read":"5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc"},"scopes":["orders:read"]}');
INSERT INTO "audit" VALUES(2,1795780992116,'alice','submit','req_01M8EE6Q3MQB3AP07XEG9C02NF',NULL,'{"audience":"prod","digest":"fbeef3aff0f8e364c42d4c0c5eeb1c728bfd0121db3205d1599b0e6c0d700913","duration_s":2,"emergency":false,"groups":["oncall","loners"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scope_digests":{"orders:read":"5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc"},"scopes":["orders:read"]}');
INSERT INTO "audit" VALUES(3,1795780992119,'carol','approve','req_01M8EE6Q3MQB3AP07XEG9C02NF','grant_01M8EE6Q3QAS1ZG5RX3GCT4FY4','{"digest":"fbeef3aff0f8e364c42d4c0c5eeb1c728bfd0121db3205d1599b0e6c0d700913","scope_digests":{"orders:read":"5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc"}}');
INSERT INTO "audit" VALUES(4,1795780992125,'alice','issue_token','req_01M8EE6Q3MQB3AP07XEG9C02NF','grant_01M8EE6Q3QAS1ZG5RX3GCT4FY4','{"kid":"48EwwrN5kU7ReDGiXyBe-tQ0urShP3J1RoLANErWja0"}');
INSERT INTO "audit" VALUES(5,1795780997682,'alice','submit','req_01M8EE6WHJMGZ5YDHW3Z2PRT0R',NULL,'{"audience":"prod","digest":"283af94a58ef2f15c1962e6b11785159893034e5f03aee174ac1c8797dc12bbb","duration_s":86400,"emergency":false,"groups":["oncall","loners"],"incident":"INC-1","reason":"orders are stuck","roles":["oncall"],"scope_digests":{"orders:read":"5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc"},"scopes":["orders:read","orders:write"]}');
INSERT INTO "audit" VALUES(6,1795780997690,'alice','submit','req_01M8EE6WHTQVN3H25SA8CJJM7F',NULL,'{"audience":"prod","digest":"0a237b688e4a5ce92ef81de2105d75f94057801c8c81abf238889495c9c7dfbc","duration_s":86400,"emergency":false,"groups":["oncall","loners"],"incident":"INC-1","reason":"orders are stuck","roles":["oncall"],"scope_digests":{"orders:read":"5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc"},"scopes":["orders:read"]}');
INSERT INTO "audit" VALUES(7,1795780997702,'carol','approve','req_01M8EE6WHTQVN3H25SA8CJJM7F','grant_01M8EE6WJ6A62EE1J47QNVJ163','{"digest":"0a237b688e4a5ce92ef81de2105d75f94057801c8c81abf238889495c9c7dfbc","scope_digests":{"orders:read":"5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc"}}');
INSERT INTO "audit" VALUES(8,1795780997705,'alice','submit','req_01M8EE6WJ98T5B9RZ1N31ARKN5',NULL,'{"audience":"prod","digest":"d4790c17b236c83619030ce61bbc8b0714313a68971b2b02f03d1eec0fd8d272","duration_s":86400,"emergency":false,"groups":["oncall","loners"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scope_digests":{"orders:read":"5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc"},"scopes":["orders:read","orders:write"]}');
INSERT INTO "audit" VALUES(9,1795780997723,'carol','approve','req_01M8EE6WJ98T5B9RZ1N31ARKN5','grant_01M8EE6WJV4HNWXBGWQN6E9695','{"digest":"d4790c17b236c83619030ce61bbc8b0714313a68971b2b02f03d1eec0fd8d272","scope_digests":{"orders:read":"5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc"}}');
INSERT INTO "audit" VALUES(10,1795780997733,'alice','issue_token','req_01M8EE6WJ98T5B9RZ1N31ARKN5','grant_01M8EE6WJV4HNWXBGWQN6E9695','{"kid":"48EwwrN5kU7ReDGiXyBe-tQ0urShP3J1RoLANErWja0"}');
INSERT INTO "audit" VALUES(11,1795780997745,'alice','issue_token','req_01M8EE6WJ98T5B9RZ1N31ARKN5','grant_01M8EE6WJV4HNWXBGWQN6E9695','{"kid":"48EwwrN5kU7ReDGiXyBe-tQ0urShP3J1RoLANErWja0"}');
INSERT INTO "audit" VALUES(12,1795780997751,'alice','submit','req_01M8EE6WKQRA5QT4RBF809672R',NULL,'{"audience":"prod","digest":"26cba81e56909a229e3a6e1682baf12ad3cae4877f0c6c29400be8cb1d9e4b2e","duration_s":86400,"emergency":false,"groups":["oncall","loners"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scope_digests":{},"scopes":["orders:write"]}');
INSERT INTO "audit" VALUES(13,1795780997773,'carol','approve','req_01M8EE6WKQRA5QT4RBF809672R','grant_01M8EE6WMDJE2ES6DX8GXQ93HQ','{"digest":"26cba81e56909a229e3a6e1682baf12ad3cae4877f0c6c29400be8cb1d9e4b2e","scope_digests":{}}');
INSERT INTO "audit" VALUES(14,1795780997775,'carol','revoke','req_01M8EE6WKQRA5QT4RBF809672R','grant_01M8EE6WMDJE2ES6DX8GXQ93HQ','{"epoch":1,"reason":"done"}');
INSERT INTO "audit" VALUES(15,1795780997805,'alice','submit','req_01M8EE6WNDHSD7604ZACBRFBBV',NULL,'{"audience":"prod","digest":"6ef6c944ed4e084cd4d52a152f82053308f1e920b10afe9e78065a42a0903533","duration_s":86400,"emergency":false,"groups":["oncall","loners"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scope_digests":{},"scopes":["orders:write"]}');
INSERT INTO "audit" VALUES(16,1795780997820,'carol','deny','req_01M8EE6WNDHSD7604ZACBRFBBV',NULL,'{"reason":"no"}');
INSERT INTO "audit" VALUES(17,1795780997861,'bob','submit','req_01M8EE6WQ5FCTRXC96T0XTGMRP',NULL,'{"audience":"prod","digest":"e12005491368758bf91f54df769a1e6560e2d25db9b66bd8d3b057f0cc48c2b7","duration_s":86400,"emergency":false,"groups":["oncall","commanders"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scope_digests":{},"scopes":["orders:write"]}');
INSERT INTO "audit" VALUES(18,1795780997868,'bob','cancel','req_01M8EE6WQ5FCTRXC96T0XTGMRP',NULL,'{}');
CREATE TABLE audit_chain_owners (
    id     INTEGER PRIMARY KEY,
    chain  TEXT NOT NULL CHECK (length(chain) = 32),
    owner  TEXT NOT NULL,
    proven INTEGER NOT NULL CHECK (proven IN (0, 1)),
    UNIQUE (chain, owner)
) STRICT;
CREATE TABLE audit_heads (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    reported_at_ms INTEGER NOT NULL,
    -- Whose credential, and what it calls itself.
    proxy          TEXT NOT NULL,
    node           TEXT NOT NULL,
    chain          TEXT NOT NULL CHECK (length(chain) = 32),
    seq            INTEGER NOT NULL CHECK (seq > 0),
    hash           TEXT NOT NULL CHECK (length(hash) = 64),
    -- When the VM began the chain, by the proxy's clock.
    began          TEXT NOT NULL,
    ended          INTEGER NOT NULL CHECK (ended IN (0, 1)),
    -- How many records each grant has in the chain so far, where that has changed.
    grants         TEXT NOT NULL CHECK (json_valid(grants)),
    -- What it contradicts.
    conflict       TEXT CHECK (
        conflict IN ('other_hash', 'goes_back', 'after_end', 'other_node')
    )
, process TEXT CHECK (length(process) = 32)) STRICT;
CREATE TABLE audit_reporter_grants (
    reporter INTEGER NOT NULL,
    grant_id TEXT NOT NULL,
    count    INTEGER NOT NULL,
    PRIMARY KEY (reporter, grant_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit_reporters (
    id         INTEGER PRIMARY KEY,
    chain      TEXT NOT NULL,
    proxy      TEXT NOT NULL,
    node       TEXT NOT NULL,
    -- The head with the highest number; of several, the one that was reported last.
    head_id    INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    -- When that head was last reported. A repeated head adds no row to audit_heads.
    seen_at_ms INTEGER NOT NULL,
    -- The reports in audit_heads: the first, the last, and how many.
    first_ms   INTEGER NOT NULL,
    last_ms    INTEGER NOT NULL,
    heads      INTEGER NOT NULL,
    -- The lowest number at which the chain was said to be over.
    ended_seq  INTEGER,
    UNIQUE (chain, proxy, node)
) STRICT;
CREATE TABLE clock (
    only_row        INTEGER PRIMARY KEY CHECK (only_row = 1),
    -- /proc/sys/kernel/random/boot_id; empty where it is not known, or where no time was believed.
    boot            TEXT NOT NULL,
    -- CLOCK_BOOTTIME when this was written.
    steady_ms       INTEGER NOT NULL,
    -- The believed time minus CLOCK_BOOTTIME.
    offset_ms       INTEGER NOT NULL,
    -- The wall clock minus the believed time: more than a few seconds is a step that nobody has accepted.
    ahead_ms        INTEGER NOT NULL,
    -- The latest time that was believed.
    newest_ms       INTEGER NOT NULL,
    -- The earliest time that it could be.
    floor_ms        INTEGER NOT NULL,
    -- On this boot, and until CLOCK_BOOTTIME is the second: it may be as early as CLOCK_BOOTTIME plus the first.
    floor_offset_ms INTEGER,
    floor_until_ms  INTEGER,
    -- Rows of these trails up to here say nothing of the time: somebody has accepted another one since.
    audit_seq       INTEGER NOT NULL,
    trail_seq       INTEGER NOT NULL
) STRICT;
INSERT INTO "clock" VALUES(1,'d9cbe126-3b53-4e18-8acb-40979f65eb5c',3949511,1795777048361,-1,1795780997872,1795780997871,NULL,NULL,0,0);
CREATE TABLE feed (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id       TEXT NOT NULL CHECK (id <> '')
) STRICT;
INSERT INTO "feed" VALUES(1,'4b3d5fdbc497697149096e8f5733e812');
CREATE TABLE folded_names (
    name        TEXT PRIMARY KEY NOT NULL,
    tables      TEXT NOT NULL,
    case_first  TEXT,
    looks_first TEXT
) STRICT;
INSERT INTO "folded_names" VALUES('alice','1/18.0.0/18.0.0','alice','alice');
INSERT INTO "folded_names" VALUES('carol','1/18.0.0/18.0.0','carol','carol');
INSERT INTO "folded_names" VALUES('INC-1','1/18.0.0/18.0.0','inc-l','lnc-l');
INSERT INTO "folded_names" VALUES('bob','1/18.0.0/18.0.0','bob','bob');
CREATE TABLE idempotency_keys (
    person         TEXT NOT NULL,
    -- As in `requests.submitted_with`.
    submitted_with BLOB NOT NULL CHECK (length(submitted_with) = 32),
    key            TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    body_sha256    BLOB NOT NULL CHECK (length(body_sha256) = 32),
    request_id     TEXT NOT NULL REFERENCES requests (id),
    expires_at     INTEGER NOT NULL,
    PRIMARY KEY (person, submitted_with, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE request_lists (
    -- `requester <name>` or `scope <name>`: a request is on the list of its requester and of each of its scopes.
    list       TEXT NOT NULL,
    phase      TEXT NOT NULL CHECK (
        phase IN ('undecided', 'approved', 'denied', 'cancelled', 'revoked')
    ),
    -- Ids sort by the time of submission.
    request_id TEXT NOT NULL,
    -- When the phase ends by itself: an undecided request lapses, an approved one expires. 0 where the request
    -- is marked as lapsed: it stays so, whatever the clock says.
    ends_at    INTEGER NOT NULL,
    PRIMARY KEY (list, phase, request_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "request_lists" VALUES('requester alice','approved','req_01M8EE6Q3MQB3AP07XEG9C02NF',1795780994);
INSERT INTO "request_lists" VALUES('requester alice','approved','req_01M8EE6WHTQVN3H25SA8CJJM7F',1795867397);
INSERT INTO "request_lists" VALUES('requester alice','approved','req_01M8EE6WJ98T5B9RZ1N31ARKN5',1795867397);
INSERT INTO "request_lists" VALUES('requester alice','denied','req_01M8EE6WNDHSD7604ZACBRFBBV',1795867397);
INSERT INTO "request_lists" VALUES('requester alice','revoked','req_01M8EE6WKQRA5QT4RBF809672R',1795867397);
INSERT INTO "request_lists" VALUES('requester alice','undecided','req_01M8EE6Q3H93J39GQG2F3GM9R5',0);
INSERT INTO "request_lists" VALUES('requester alice','undecided','req_01M8EE6WHJMGZ5YDHW3Z2PRT0R',1795867397);
INSERT INTO "request_lists" VALUES('requester bob','cancelled','req_01M8EE6WQ5FCTRXC96T0XTGMRP',1795867397);
INSERT INTO "request_lists" VALUES('scope orders:read','approved','req_01M8EE6Q3MQB3AP07XEG9C02NF',1795780994);
INSERT INTO "request_lists" VALUES('scope orders:read','approved','req_01M8EE6WHTQVN3H25SA8CJJM7F',1795867397);
INSERT INTO "request_lists" VALUES('scope orders:read','approved','req_01M8EE6WJ98T5B9RZ1N31ARKN5',1795867397);
INSERT INTO "request_lists" VALUES('scope orders:read','undecided','req_01M8EE6Q3H93J39GQG2F3GM9R5',0);
INSERT INTO "request_lists" VALUES('scope orders:read','undecided','req_01M8EE6WHJMGZ5YDHW3Z2PRT0R',1795867397);
INSERT INTO "request_lists" VALUES('scope orders:write','approved','req_01M8EE6WJ98T5B9RZ1N31ARKN5',1795867397);
INSERT INTO "request_lists" VALUES('scope orders:write','cancelled','req_01M8EE6WQ5FCTRXC96T0XTGMRP',1795867397);
INSERT INTO "request_lists" VALUES('scope orders:write','denied','req_01M8EE6WNDHSD7604ZACBRFBBV',1795867397);
INSERT INTO "request_lists" VALUES('scope orders:write','revoked','req_01M8EE6WKQRA5QT4RBF809672R',1795867397);
INSERT INTO "request_lists" VALUES('scope orders:write','undecided','req_01M8EE6WHJMGZ5YDHW3Z2PRT0R',1795867397);
CREATE TABLE requests (
    id               TEXT PRIMARY KEY NOT NULL,

    -- What was asked for: frozen at submission.
    requester        TEXT NOT NULL,
    requester_roles  TEXT NOT NULL CHECK (json_valid(requester_roles)),
    requester_groups TEXT NOT NULL CHECK (json_valid(requester_groups)),
    audience         TEXT NOT NULL,
    scopes           TEXT NOT NULL CHECK (json_array_length(scopes) > 0),
    reason           TEXT NOT NULL CHECK (reason <> ''),
    incident         TEXT,
    emergency        INTEGER NOT NULL CHECK (emergency IN (0, 1)),
    duration_s       INTEGER NOT NULL CHECK (duration_s > 0),
    submitted_at     INTEGER NOT NULL,
    lapses_at        INTEGER NOT NULL CHECK (lapses_at > submitted_at),

    -- What became of it: at most one of the three, and then never again.
    approved_at      INTEGER,
    approved_by      TEXT,
    jti              TEXT UNIQUE,
    expires_at       INTEGER,
    denied_at        INTEGER,
    denied_by        TEXT,
    denial_reason    TEXT,
    cancelled_at     INTEGER, lapsed_at INTEGER, submitted_with BLOB CHECK (length(submitted_with) = 32), scope_digests TEXT NOT NULL DEFAULT '{}'
    CHECK (json_valid(scope_digests) AND json_type(scope_digests) = 'object'),

    CONSTRAINT self_approval CHECK (approved_by <> requester),
    CONSTRAINT self_denial CHECK (denied_by <> requester),
    CONSTRAINT one_decision CHECK (
        (approved_at IS NOT NULL) + (denied_at IS NOT NULL) + (cancelled_at IS NOT NULL) <= 1
    ),
    CONSTRAINT approval_is_whole CHECK (
        (approved_at IS NULL) = (approved_by IS NULL)
        AND (approved_at IS NULL) = (jti IS NULL)
        AND (approved_at IS NULL) = (expires_at IS NULL)
    ),
    CONSTRAINT denial_is_whole CHECK (
        (denied_at IS NULL) = (denied_by IS NULL)
        AND (denied_at IS NULL) = (denial_reason IS NULL)
    ),
    CONSTRAINT approved_before_lapse CHECK (approved_at < lapses_at),
    CONSTRAINT deadline_is_absolute CHECK (expires_at = approved_at + duration_s)
) STRICT;
INSERT INTO "requests" VALUES('req_01M8EE6Q3H93J39GQG2F3GM9R5','alice','["oncall"]','["oncall","loners"]','prod','["orders:read"]','orders are stuck',NULL,0,86400,1795780992,1795780995,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1795780995,X'92CE84E2F5F053641A90A8819BA5A92C2E1F9E7606978794D2D009B6068EBDA0','{"orders:read":"5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc"}');
INSERT INTO "requests" VALUES('req_01M8EE6Q3MQB3AP07XEG9C02NF','alice','["oncall"]','["oncall","loners"]','prod','["orders:read"]','orders are stuck',NULL,0,2,1795780992,1795780995,1795780992,'carol','grant_01M8EE6Q3QAS1ZG5RX3GCT4FY4',1795780994,NULL,NULL,NULL,NULL,NULL,X'92CE84E2F5F053641A90A8819BA5A92C2E1F9E7606978794D2D009B6068EBDA0','{"orders:read":"5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc"}');
INSERT INTO "requests" VALUES('req_01M8EE6WHJMGZ5YDHW3Z2PRT0R','alice','["oncall"]','["oncall","loners"]','prod','["orders:read","orders:write"]','orders are stuck','INC-1',0,86400,1795780997,1795867397,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,X'92CE84E2F5F053641A90A8819BA5A92C2E1F9E7606978794D2D009B6068EBDA0','{"orders:read":"5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc"}');
INSERT INTO "requests" VALUES('req_01M8EE6WHTQVN3H25SA8CJJM7F','alice','["oncall"]','["oncall","loners"]','prod','["orders:read"]','orders are stuck','INC-1',0,86400,1795780997,1795867397,1795780997,'carol','grant_01M8EE6WJ6A62EE1J47QNVJ163',1795867397,NULL,NULL,NULL,NULL,NULL,X'92CE84E2F5F053641A90A8819BA5A92C2E1F9E7606978794D2D009B6068EBDA0','{"orders:read":"5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc"}');
INSERT INTO "requests" VALUES('req_01M8EE6WJ98T5B9RZ1N31ARKN5','alice','["oncall"]','["oncall","loners"]','prod','["orders:read","orders:write"]','orders are stuck',NULL,0,86400,1795780997,1795867397,1795780997,'carol','grant_01M8EE6WJV4HNWXBGWQN6E9695',1795867397,NULL,NULL,NULL,NULL,NULL,X'92CE84E2F5F053641A90A8819BA5A92C2E1F9E7606978794D2D009B6068EBDA0','{"orders:read":"5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc"}');
INSERT INTO "requests" VALUES('req_01M8EE6WKQRA5QT4RBF809672R','alice','["oncall"]','["oncall","loners"]','prod','["orders:write"]','orders are stuck',NULL,0,86400,1795780997,1795867397,1795780997,'carol','grant_01M8EE6WMDJE2ES6DX8GXQ93HQ',1795867397,NULL,NULL,NULL,NULL,NULL,X'92CE84E2F5F053641A90A8819BA5A92C2E1F9E7606978794D2D009B6068EBDA0','{}');
INSERT INTO "requests" VALUES('req_01M8EE6WNDHSD7604ZACBRFBBV','alice','["oncall"]','["oncall","loners"]','prod','["orders:write"]','orders are stuck',NULL,0,86400,1795780997,1795867397,NULL,NULL,NULL,NULL,1795780997,'carol','no',NULL,NULL,X'92CE84E2F5F053641A90A8819BA5A92C2E1F9E7606978794D2D009B6068EBDA0','{}');
INSERT INTO "requests" VALUES('req_01M8EE6WQ5FCTRXC96T0XTGMRP','bob','["oncall"]','["oncall","commanders"]','prod','["orders:write"]','orders are stuck',NULL,0,86400,1795780997,1795867397,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1795780997,NULL,X'503DD1151E934BFD62B1536FA13F27E745B07FDE177CBA935059ECE549C89265','{}');
CREATE TABLE revocations (
    -- The position in the feed. AUTOINCREMENT: it only ever grows.
    epoch         INTEGER PRIMARY KEY AUTOINCREMENT,
    jti           TEXT NOT NULL UNIQUE REFERENCES requests (jti),
    revoked_at_ms INTEGER NOT NULL,
    revoked_by    TEXT NOT NULL,
    reason        TEXT NOT NULL CHECK (reason <> ''),
    -- The grant's end: the feed lists what has not ended.
    expires_at    INTEGER NOT NULL
, tag TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO "revocations" VALUES(1,'grant_01M8EE6WMDJE2ES6DX8GXQ93HQ',1795780997775,'carol','done',1795867397,'0154ea459f7715a8');
CREATE TABLE scope_rules (
    digest TEXT PRIMARY KEY NOT NULL CHECK (length(digest) = 64),
    rules  TEXT NOT NULL CHECK (json_valid(rules))
) STRICT, WITHOUT ROWID;
INSERT INTO "scope_rules" VALUES('5f911a2748ae3fc232d7a7fe8b5d46866994c5f8c2e3271ceb4e2ef5d7b096dc','{"methods":["GET"],"paths":["/v1/orders/{id}"],"v":1}');
CREATE TABLE service_trail (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms  INTEGER NOT NULL,
    -- A person's name, or `service` where the service acted by itself.
    actor  TEXT NOT NULL CHECK (actor <> ''),
    action TEXT NOT NULL CHECK (action <> ''),
    detail TEXT NOT NULL CHECK (json_valid(detail))
) STRICT;
INSERT INTO "service_trail" VALUES(1,1795780990824,'service','evidence_made','{"file":"/tmp/w/old/approvals-evidence.db","last_head_copied":0}');
CREATE TRIGGER requests_start_undecided BEFORE INSERT ON requests
WHEN NEW.approved_at IS NOT NULL OR NEW.denied_at IS NOT NULL OR NEW.cancelled_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a request is submitted before it is decided');
END;
CREATE TRIGGER requests_not_replaced BEFORE INSERT ON requests
WHEN EXISTS (SELECT 1 FROM requests WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'a request is submitted once');
END;
CREATE TRIGGER requests_frozen BEFORE UPDATE OF
    id, requester, requester_roles, requester_groups, audience, scopes, reason, incident,
    emergency, duration_s, submitted_at, lapses_at ON requests
BEGIN
    SELECT RAISE(ABORT, 'a request is frozen at submission');
END;
CREATE TRIGGER requests_decided_once BEFORE UPDATE ON requests
WHEN OLD.approved_at IS NOT NULL OR OLD.denied_at IS NOT NULL OR OLD.cancelled_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a request is decided once');
END;
CREATE TRIGGER requests_kept BEFORE DELETE ON requests
BEGIN
    SELECT RAISE(ABORT, 'requests are kept');
END;
CREATE INDEX revocations_by_end ON revocations (expires_at);
CREATE TRIGGER revocations_not_replaced BEFORE INSERT ON revocations
WHEN EXISTS (SELECT 1 FROM revocations WHERE jti = NEW.jti OR epoch = NEW.epoch)
BEGIN
    SELECT RAISE(ABORT, 'a grant is revoked once');
END;
CREATE TRIGGER revocations_kept BEFORE DELETE ON revocations
BEGIN
    SELECT RAISE(ABORT, 'revocations are kept');
END;
CREATE INDEX audit_by_request ON audit (request_id);
CREATE TRIGGER audit_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER audit_not_updated BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER audit_not_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER feed_kept BEFORE DELETE ON feed
BEGIN
    SELECT RAISE(ABORT, 'the feed has an id');
END;
CREATE INDEX requests_by_end ON requests (expires_at) WHERE jti IS NOT NULL;
CREATE INDEX audit_heads_by_time ON audit_heads (reported_at_ms);
CREATE TRIGGER audit_heads_not_replaced BEFORE INSERT ON audit_heads
WHEN EXISTS (SELECT 1 FROM audit_heads WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'heads are append-only');
END;
CREATE TRIGGER audit_heads_not_updated BEFORE UPDATE ON audit_heads
BEGIN
    SELECT RAISE(ABORT, 'heads are append-only');
END;
CREATE TRIGGER audit_heads_not_deleted BEFORE DELETE ON audit_heads
BEGIN
    SELECT RAISE(ABORT, 'heads are append-only');
END;
CREATE INDEX audit_heads_by_reporter ON audit_heads
    (chain, proxy, node, seq, hash, ended, process, reported_at_ms);
CREATE TRIGGER audit_chain_owners_not_replaced BEFORE INSERT ON audit_chain_owners
WHEN EXISTS (
    SELECT 1 FROM audit_chain_owners
    WHERE id = NEW.id OR (chain = NEW.chain AND owner = NEW.owner)
)
BEGIN
    SELECT RAISE(ABORT, 'the owner of a chain is kept');
END;
CREATE TRIGGER audit_chain_owners_only_proven BEFORE UPDATE ON audit_chain_owners
WHEN NEW.id <> OLD.id OR NEW.chain <> OLD.chain OR NEW.owner <> OLD.owner
    OR NEW.proven < OLD.proven
BEGIN
    SELECT RAISE(ABORT, 'the owner of a chain is kept');
END;
CREATE TRIGGER audit_chain_owners_not_deleted BEFORE DELETE ON audit_chain_owners
BEGIN
    SELECT RAISE(ABORT, 'the owner of a chain is kept');
END;
CREATE TRIGGER audit_reporters_forward BEFORE UPDATE ON audit_reporters
WHEN NEW.id <> OLD.id OR NEW.chain <> OLD.chain OR NEW.proxy <> OLD.proxy OR NEW.node <> OLD.node
    OR NEW.seq < OLD.seq OR NEW.heads < OLD.heads
BEGIN
    SELECT RAISE(ABORT, 'what a proxy reported is not taken back');
END;
CREATE TRIGGER audit_reporters_not_deleted BEFORE DELETE ON audit_reporters
BEGIN
    SELECT RAISE(ABORT, 'what a proxy reported is not taken back');
END;
CREATE TRIGGER audit_heads_followed AFTER INSERT ON audit_heads
BEGIN
    INSERT INTO audit_chain_owners (chain, owner, proven)
    SELECT NEW.chain, NEW.proxy, 0
    WHERE NOT EXISTS (SELECT 1 FROM audit_chain_owners WHERE chain = NEW.chain);

    INSERT INTO audit_reporters
        (chain, proxy, node, head_id, seq, seen_at_ms, first_ms, last_ms, heads, ended_seq)
    VALUES (NEW.chain, NEW.proxy, NEW.node, NEW.id, NEW.seq, NEW.reported_at_ms,
        NEW.reported_at_ms, NEW.reported_at_ms, 1, CASE WHEN NEW.ended THEN NEW.seq END)
    ON CONFLICT (chain, proxy, node) DO UPDATE SET
        head_id = CASE WHEN excluded.seq >= seq THEN excluded.head_id ELSE head_id END,
        seen_at_ms = CASE WHEN excluded.seq >= seq THEN excluded.seen_at_ms ELSE seen_at_ms END,
        seq = max(seq, excluded.seq),
        first_ms = min(first_ms, excluded.first_ms),
        last_ms = max(last_ms, excluded.last_ms),
        heads = heads + 1,
        ended_seq = min(coalesce(ended_seq, excluded.ended_seq),
            coalesce(excluded.ended_seq, ended_seq));

    INSERT INTO audit_reporter_grants (reporter, grant_id, count)
    SELECT reporter.id, named.key, named.value
    FROM audit_reporters reporter
    JOIN json_each(NEW.grants) named
    WHERE reporter.chain = NEW.chain AND reporter.proxy = NEW.proxy AND reporter.node = NEW.node
    ON CONFLICT (reporter, grant_id) DO UPDATE SET count = excluded.count
    WHERE excluded.count > count;
END;
CREATE TRIGGER service_trail_not_replaced BEFORE INSERT ON service_trail
WHEN EXISTS (SELECT 1 FROM service_trail WHERE seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER service_trail_not_updated BEFORE UPDATE ON service_trail
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER service_trail_not_deleted BEFORE DELETE ON service_trail
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER clock_kept BEFORE DELETE ON clock
BEGIN
    SELECT RAISE(ABORT, 'what is believed of the time is kept');
END;
CREATE TRIGGER requests_start_unlapsed BEFORE INSERT ON requests
WHEN NEW.lapsed_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a request is submitted before it lapses');
END;
CREATE TRIGGER requests_lapsed_for_good BEFORE UPDATE ON requests
WHEN OLD.lapsed_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a request that lapsed is never decided');
END;
CREATE TRIGGER requests_lapsed_or_decided BEFORE UPDATE ON requests
WHEN NEW.lapsed_at IS NOT NULL
    AND (NEW.approved_at IS NOT NULL OR NEW.denied_at IS NOT NULL OR NEW.cancelled_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'a request that lapsed is never decided');
END;
CREATE INDEX requests_waiting ON requests (lapses_at)
WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL AND lapsed_at IS NULL;
CREATE INDEX requests_waiting_by_submission ON requests (submitted_at)
WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL AND lapsed_at IS NULL;
CREATE TRIGGER revocations_tagged AFTER INSERT ON revocations WHEN NEW.tag = ''
BEGIN
    UPDATE revocations SET tag = lower(hex(randomblob(8))) WHERE epoch = NEW.epoch;
END;
CREATE TRIGGER revocations_final BEFORE UPDATE ON revocations
WHEN OLD.tag <> '' OR NEW.tag = ''
    OR NEW.epoch IS NOT OLD.epoch OR NEW.jti IS NOT OLD.jti
    OR NEW.revoked_at_ms IS NOT OLD.revoked_at_ms OR NEW.revoked_by IS NOT OLD.revoked_by
    OR NEW.reason IS NOT OLD.reason OR NEW.expires_at IS NOT OLD.expires_at
BEGIN
    SELECT RAISE(ABORT, 'a revocation is final');
END;
CREATE INDEX request_lists_by_end ON request_lists (list, phase, ends_at)
    WHERE phase IN ('undecided', 'approved');
CREATE TRIGGER requests_listed AFTER INSERT ON requests
BEGIN
    INSERT INTO request_lists (list, phase, request_id, ends_at)
    SELECT 'requester ' || NEW.requester, 'undecided', NEW.id, NEW.lapses_at
    UNION
    SELECT 'scope ' || value, 'undecided', NEW.id, NEW.lapses_at FROM json_each(NEW.scopes);
END;
CREATE TRIGGER requests_listed_as_decided
AFTER UPDATE OF approved_at, denied_at, cancelled_at ON requests
BEGIN
    UPDATE request_lists
    SET phase = CASE
            WHEN NEW.denied_at IS NOT NULL THEN 'denied'
            WHEN NEW.cancelled_at IS NOT NULL THEN 'cancelled'
            WHEN NEW.approved_at IS NOT NULL THEN 'approved'
            ELSE 'undecided'
        END,
        ends_at = coalesce(NEW.expires_at, NEW.lapses_at)
    WHERE list IN (
            SELECT 'requester ' || NEW.requester
            UNION ALL SELECT 'scope ' || value FROM json_each(NEW.scopes))
        AND phase = 'undecided' AND request_id = NEW.id;
END;
CREATE TRIGGER requests_listed_as_lapsed AFTER UPDATE OF lapsed_at ON requests
WHEN NEW.lapsed_at IS NOT NULL
BEGIN
    UPDATE request_lists SET ends_at = 0
    WHERE list IN (
            SELECT 'requester ' || NEW.requester
            UNION ALL SELECT 'scope ' || value FROM json_each(NEW.scopes))
        AND phase = 'undecided' AND request_id = NEW.id;
END;
CREATE TRIGGER requests_listed_as_revoked AFTER INSERT ON revocations
BEGIN
    UPDATE request_lists SET phase = 'revoked'
    WHERE list IN (
            SELECT 'requester ' || requester FROM requests WHERE jti = NEW.jti
            UNION ALL
            SELECT 'scope ' || named.value FROM requests JOIN json_each(scopes) AS named
            WHERE jti = NEW.jti)
        AND phase = 'approved'
        AND request_id = (SELECT id FROM requests WHERE jti = NEW.jti);
END;
CREATE TRIGGER request_lists_forward BEFORE UPDATE ON request_lists
WHEN NEW.list <> OLD.list OR NEW.request_id <> OLD.request_id
    OR OLD.phase NOT IN ('undecided', 'approved')
    OR (OLD.phase = 'approved' AND NEW.phase <> 'revoked')
BEGIN
    SELECT RAISE(ABORT, 'a request stays on its lists');
END;
CREATE TRIGGER request_lists_kept BEFORE DELETE ON request_lists
BEGIN
    SELECT RAISE(ABORT, 'a request stays on its lists');
END;
CREATE INDEX requests_by_requester ON requests (requester, id);
CREATE INDEX requests_by_incident ON requests (incident, id) WHERE incident IS NOT NULL;
CREATE INDEX folded_names_by_case ON folded_names (case_first);
CREATE INDEX folded_names_by_looks ON folded_names (looks_first);
CREATE INDEX folded_names_by_tables ON folded_names (tables);
CREATE TRIGGER folded_names_same BEFORE UPDATE OF name ON folded_names
BEGIN
    SELECT RAISE(ABORT, 'names are kept');
END;
CREATE TRIGGER folded_names_kept BEFORE DELETE ON folded_names
BEGIN
    SELECT RAISE(ABORT, 'names are kept');
END;
CREATE TRIGGER requests_have_names AFTER INSERT ON requests
BEGIN
    INSERT INTO folded_names (name, tables)
    SELECT named.name, '' FROM (SELECT NEW.requester AS name UNION SELECT NEW.incident) AS named
    WHERE named.name IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM folded_names AS known WHERE known.name = named.name);
END;
CREATE TRIGGER requests_self_approval BEFORE UPDATE OF approved_by ON requests
WHEN coalesce((SELECT case_first FROM folded_names WHERE name = OLD.requester),
        lower(trim(OLD.requester)))
    = coalesce((SELECT case_first FROM folded_names WHERE name = NEW.approved_by),
        lower(trim(NEW.approved_by)))
    OR (SELECT looks_first FROM folded_names WHERE name = OLD.requester)
        = (SELECT looks_first FROM folded_names WHERE name = NEW.approved_by)
BEGIN
    SELECT RAISE(ABORT, 'self_approval: the approver is the requester in another spelling');
END;
CREATE TRIGGER requests_self_denial BEFORE UPDATE OF denied_by ON requests
WHEN coalesce((SELECT case_first FROM folded_names WHERE name = OLD.requester),
        lower(trim(OLD.requester)))
    = coalesce((SELECT case_first FROM folded_names WHERE name = NEW.denied_by),
        lower(trim(NEW.denied_by)))
    OR (SELECT looks_first FROM folded_names WHERE name = OLD.requester)
        = (SELECT looks_first FROM folded_names WHERE name = NEW.denied_by)
BEGIN
    SELECT RAISE(ABORT, 'self_denial: the requester in another spelling denies');
END;
CREATE TRIGGER requests_credential_frozen BEFORE UPDATE OF submitted_with ON requests
BEGIN
    SELECT RAISE(ABORT, 'a request is frozen at submission');
END;
CREATE INDEX requests_undecided ON requests (requester, lapses_at)
    WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL;
CREATE INDEX idempotency_keys_by_end ON idempotency_keys (expires_at);
CREATE INDEX idempotency_keys_by_request ON idempotency_keys (request_id);
CREATE TRIGGER idempotency_keys_kept BEFORE UPDATE ON idempotency_keys
BEGIN
    SELECT RAISE(ABORT, 'a key stands for one request');
END;
CREATE TRIGGER requests_digests_frozen BEFORE UPDATE OF scope_digests ON requests
BEGIN
    SELECT RAISE(ABORT, 'a request is frozen at submission');
END;
CREATE TRIGGER scope_rules_not_replaced BEFORE INSERT ON scope_rules
WHEN EXISTS (SELECT 1 FROM scope_rules WHERE digest = NEW.digest)
BEGIN
    SELECT RAISE(ABORT, 'a digest stands for one set of rules');
END;
CREATE TRIGGER scope_rules_not_updated BEFORE UPDATE ON scope_rules
BEGIN
    SELECT RAISE(ABORT, 'a digest stands for one set of rules');
END;
CREATE TRIGGER scope_rules_kept BEFORE DELETE ON scope_rules
BEGIN
    SELECT RAISE(ABORT, 'rules are kept');
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('service_trail',1);
INSERT INTO "sqlite_sequence" VALUES('audit',18);
INSERT INTO "sqlite_sequence" VALUES('revocations',1);
COMMIT;
