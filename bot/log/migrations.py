"""The schema, as named steps that are never edited once released.

Times are UTC in ISO 8601. Ids of conversations and turns are UUIDv7 and so sort by time. A turn's
row never changes its text.
"""

from sqlite_utils import Database, Migrations

migrations = Migrations("frontdesk")


@migrations()
def m001_dialogues(db: Database) -> None:
    """Customers, their conversations and turns, and why each reply was chosen."""
    _create(
        db,
        """
        CREATE TABLE customers (
            id TEXT PRIMARY KEY,
            channel TEXT NOT NULL,
            external_id TEXT NOT NULL,
            created_at TEXT NOT NULL,
            UNIQUE (channel, external_id)
        ) STRICT
        """,
        """
        CREATE TABLE conversations (
            id TEXT PRIMARY KEY,
            customer TEXT NOT NULL REFERENCES customers (id),
            channel TEXT NOT NULL,
            address TEXT NOT NULL,
            language TEXT NOT NULL,
            started_at TEXT NOT NULL,
            last_turn_at TEXT NOT NULL,
            UNIQUE (channel, address)
        ) STRICT
        """,
        "CREATE INDEX conversations_by_time ON conversations (last_turn_at, id)",
        # `replied_to` and everything after it is set on the assistant's turns only.
        """
        CREATE TABLE turns (
            id TEXT PRIMARY KEY,
            conversation TEXT NOT NULL REFERENCES conversations (id),
            number INTEGER NOT NULL,
            role TEXT NOT NULL CHECK (role IN ('customer', 'assistant', 'agent')),
            text TEXT NOT NULL,
            language TEXT NOT NULL,
            created_at TEXT NOT NULL,
            replied_to TEXT REFERENCES turns (id),
            policy TEXT,
            latency_ms REAL,
            UNIQUE (conversation, number)
        ) STRICT
        """,
        "CREATE INDEX replies ON turns (replied_to) WHERE replied_to IS NOT NULL",
        """
        CREATE TABLE candidates (
            turn TEXT NOT NULL REFERENCES turns (id),
            position INTEGER NOT NULL,
            source TEXT NOT NULL,
            text TEXT NOT NULL,
            citations TEXT NOT NULL,
            features TEXT NOT NULL,
            refusal TEXT,
            propensity REAL NOT NULL,
            policy TEXT NOT NULL,
            shown INTEGER NOT NULL,
            PRIMARY KEY (turn, position)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE generations (
            id INTEGER PRIMARY KEY,
            turn TEXT NOT NULL REFERENCES turns (id),
            model TEXT NOT NULL,
            prompt TEXT NOT NULL,
            prompt_version TEXT NOT NULL,
            sampling TEXT NOT NULL,
            input_tokens INTEGER,
            output_tokens INTEGER,
            latency_ms REAL NOT NULL,
            error TEXT
        ) STRICT
        """,
        "CREATE INDEX generations_by_turn ON generations (turn)",
        """
        CREATE TABLE handoffs (
            id INTEGER PRIMARY KEY,
            conversation TEXT NOT NULL REFERENCES conversations (id),
            turn TEXT NOT NULL REFERENCES turns (id),
            reason TEXT NOT NULL,
            created_at TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX handoffs_by_conversation ON handoffs (conversation)",
        # Chinese is segmented before it gets here (bot/knowledge/words.py): unicode61 sees words.
        """
        CREATE VIRTUAL TABLE turn_search USING fts5 (
            words, turn UNINDEXED, tokenize = 'porter unicode61'
        )
        """,
    )


@migrations()
def m002_knowledge(db: Database) -> None:
    """Articles and their passages; what a reply was based on stays readable for ever."""
    _create(
        db,
        """
        CREATE TABLE articles (
            id TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            language TEXT NOT NULL,
            url TEXT NOT NULL,
            digest TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            retired_at TEXT
        ) STRICT
        """,
        # `id` is a hash of the passage and its place; a changed passage is a new row, the old one
        # is retired, so a turn's passages can be read as they were.
        """
        CREATE TABLE passages (
            id TEXT PRIMARY KEY,
            article TEXT NOT NULL REFERENCES articles (id),
            position INTEGER NOT NULL,
            title TEXT NOT NULL,
            heading TEXT NOT NULL,
            text TEXT NOT NULL,
            language TEXT NOT NULL,
            url TEXT NOT NULL,
            retired_at TEXT
        ) STRICT
        """,
        "CREATE INDEX passages_by_article ON passages (article)",
        """
        CREATE VIRTUAL TABLE passage_search USING fts5 (
            title, heading, text, questions, passage UNINDEXED, language UNINDEXED,
            tokenize = 'porter unicode61'
        )
        """,
        # The ways customers ask for what an article answers, as its author wrote them down.
        """
        CREATE TABLE article_questions (
            article TEXT NOT NULL REFERENCES articles (id),
            position INTEGER NOT NULL,
            text TEXT NOT NULL,
            PRIMARY KEY (article, position)
        ) STRICT, WITHOUT ROWID
        """,
        # `digest` is of the encoded text, so that nothing is encoded twice; `vector` is
        # little-endian float32, of length 1.
        """
        CREATE TABLE vectors (
            digest TEXT NOT NULL,
            encoder TEXT NOT NULL,
            vector BLOB NOT NULL,
            PRIMARY KEY (digest, encoder)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE VIRTUAL TABLE passage_terms USING fts5vocab (passage_search, 'row')",
        """
        CREATE TABLE retrievals (
            turn TEXT NOT NULL REFERENCES turns (id),
            rank INTEGER NOT NULL,
            passage TEXT NOT NULL REFERENCES passages (id),
            score REAL NOT NULL,
            closeness REAL NOT NULL,
            similarity REAL,
            coverage REAL NOT NULL,
            PRIMARY KEY (turn, rank)
        ) STRICT, WITHOUT ROWID
        """,
    )


@migrations()
def m003_delivery(db: Database) -> None:
    """Messages stored before they are acknowledged, replies stored before they are sent."""
    _create(
        db,
        """
        CREATE TABLE inbox (
            id INTEGER PRIMARY KEY,
            channel TEXT NOT NULL,
            event_key TEXT NOT NULL,
            address TEXT NOT NULL,
            customer TEXT NOT NULL,
            text TEXT NOT NULL,
            language TEXT,
            received_at TEXT NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            turn TEXT REFERENCES turns (id)
        ) STRICT
        """,
        "CREATE INDEX inbox_unanswered ON inbox (id) WHERE turn IS NULL",
        "CREATE INDEX inbox_by_turn ON inbox (turn) WHERE turn IS NOT NULL",
        # One post can come under several natural keys; any of them seen before is a duplicate.
        """
        CREATE TABLE inbox_keys (
            channel TEXT NOT NULL,
            event_key TEXT NOT NULL,
            inbox INTEGER NOT NULL REFERENCES inbox (id),
            PRIMARY KEY (channel, event_key)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE outbox (
            id INTEGER PRIMARY KEY,
            turn TEXT NOT NULL REFERENCES turns (id),
            conversation TEXT NOT NULL REFERENCES conversations (id),
            channel TEXT NOT NULL,
            address TEXT NOT NULL,
            reply TEXT NOT NULL,
            state TEXT NOT NULL
                CHECK (state IN ('ready', 'sending', 'sent', 'failed', 'in_doubt')),
            attempts INTEGER NOT NULL DEFAULT 0,
            platform_id TEXT,
            error TEXT,
            created_at TEXT NOT NULL,
            settled_at TEXT
        ) STRICT
        """,
        "CREATE INDEX outbox_unsettled ON outbox (id) WHERE state IN ('ready', 'sending')",
        "CREATE INDEX outbox_by_turn ON outbox (turn)",
    )


@migrations()
def m004_admin(db: Database) -> None:
    """Who may review the log, and who looked at what."""
    _create(
        db,
        """
        CREATE TABLE accounts (
            name TEXT PRIMARY KEY,
            password_hash TEXT NOT NULL,
            created_at TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE sessions (
            token_hash TEXT PRIMARY KEY,
            account TEXT NOT NULL REFERENCES accounts (name),
            created_at TEXT NOT NULL,
            last_seen_at TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY,
            at TEXT NOT NULL,
            account TEXT NOT NULL,
            action TEXT NOT NULL,
            object TEXT NOT NULL
        ) STRICT
        """,
    )


@migrations()
def m005_channels(db: Database) -> None:
    """Edits, deletions, attachments, previews, feedback, erasures; workspaces of a Slack app."""
    _create(
        db,
        "ALTER TABLE customers ADD COLUMN language TEXT",  # the one chosen with /language
        "ALTER TABLE turns ADD COLUMN superseded_by TEXT REFERENCES turns (id)",
        "ALTER TABLE turns ADD COLUMN withdrawn_at TEXT",
        "ALTER TABLE handoffs ADD COLUMN settled_at TEXT",
        # `edits` is the message that this is a new version of; `reply` the turn that answers it
        # now; `preview` the post that shows the beginning of an answer that is not finished.
        "ALTER TABLE inbox ADD COLUMN edits INTEGER REFERENCES inbox (id)",
        "ALTER TABLE inbox ADD COLUMN reply TEXT REFERENCES turns (id)",
        "ALTER TABLE inbox ADD COLUMN preview TEXT",
        "ALTER TABLE inbox ADD COLUMN withdrawn_at TEXT",
        """
        UPDATE inbox SET reply =
            (SELECT id FROM turns WHERE replied_to = inbox.turn ORDER BY id LIMIT 1)
        WHERE turn IS NOT NULL
        """,
        "DROP INDEX inbox_unanswered",
        """
        CREATE INDEX inbox_unanswered ON inbox (id) WHERE turn IS NULL AND withdrawn_at IS NULL
        """,
        "CREATE INDEX inbox_by_reply ON inbox (reply) WHERE reply IS NOT NULL",
        "CREATE INDEX inbox_by_edited ON inbox (edits) WHERE edits IS NOT NULL",
        "CREATE INDEX inbox_by_address ON inbox (channel, address, customer)",
        "CREATE INDEX inbox_by_customer ON inbox (channel, customer)",
        "CREATE INDEX conversations_by_customer ON conversations (customer)",
        "CREATE INDEX inbox_keys_by_message ON inbox_keys (inbox)",
        "CREATE INDEX inbox_withdrawn ON inbox (id) WHERE withdrawn_at IS NOT NULL",
        # Without these, erasing a turn reads these tables from end to end for its foreign keys.
        "CREATE INDEX superseded ON turns (superseded_by) WHERE superseded_by IS NOT NULL",
        "CREATE INDEX handoffs_by_turn ON handoffs (turn)",
        "CREATE INDEX outbox_by_conversation ON outbox (conversation)",
        """
        CREATE TABLE attachments (
            id INTEGER PRIMARY KEY,
            inbox INTEGER NOT NULL REFERENCES inbox (id),
            kind TEXT NOT NULL,
            external_id TEXT NOT NULL,
            name TEXT NOT NULL,
            media_type TEXT NOT NULL,
            size INTEGER
        ) STRICT
        """,
        "CREATE INDEX attachments_by_message ON attachments (inbox)",
        # What stands at the platform for a reply: its parts, in order.
        """
        CREATE TABLE posts (
            channel TEXT NOT NULL,
            post TEXT NOT NULL,
            outbox INTEGER NOT NULL REFERENCES outbox (id),
            part INTEGER NOT NULL,
            PRIMARY KEY (channel, post)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX posts_by_reply ON posts (outbox, part)",
        # Only ever added to: the newest row of a customer, turn and origin counts.
        """
        CREATE TABLE feedback (
            id INTEGER PRIMARY KEY,
            channel TEXT NOT NULL,
            event_key TEXT NOT NULL,
            turn TEXT NOT NULL REFERENCES turns (id),
            customer TEXT NOT NULL,
            origin TEXT NOT NULL CHECK (origin IN ('button', 'reaction')),
            verdict TEXT NOT NULL CHECK (verdict IN ('up', 'down', 'withdrawn')),
            complaint TEXT,
            comment TEXT NOT NULL,
            created_at TEXT NOT NULL,
            UNIQUE (channel, event_key)
        ) STRICT
        """,
        "CREATE INDEX feedback_by_turn ON feedback (turn)",
        "CREATE INDEX feedback_by_customer ON feedback (channel, customer)",
        # Who asked for their data to be erased. Once it is, `customer` is empty: what stays is that
        # somebody was erased, and when.
        """
        CREATE TABLE erasures (
            id INTEGER PRIMARY KEY,
            channel TEXT NOT NULL,
            customer TEXT NOT NULL,
            requested_at TEXT NOT NULL,
            erased_at TEXT
        ) STRICT
        """,
        "CREATE INDEX erasures_waiting ON erasures (id) WHERE erased_at IS NULL",
        # `data` is encrypted: it holds the workspace's token.
        """
        CREATE TABLE slack_installations (
            enterprise TEXT NOT NULL DEFAULT '',
            team TEXT NOT NULL,
            installed_at TEXT NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (enterprise, team)
        ) STRICT
        """,
        """
        CREATE TABLE slack_oauth_states (
            state_hash TEXT PRIMARY KEY,
            created_at TEXT NOT NULL
        ) STRICT
        """,
    )


@migrations()
def m006_reliability(db: Database) -> None:
    """Replies whose delivery has to be found out, and what each customer used of the model."""
    _create(
        db,
        # Set when a reply, or its beginning, may have been posted by a run that was killed, or by
        # a request whose answer was lost.
        "ALTER TABLE outbox ADD COLUMN is_doubtful INTEGER NOT NULL DEFAULT 0",
        # Earlier versions posted to Telegram without a placeholder, so nobody can find out whether
        # what they were sending arrived; Slack's posts can be read back.
        "UPDATE outbox SET state = 'in_doubt', error = 'interrupted while sending',"
        " settled_at = strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'),"
        " reply = json_remove(reply, '$.document')"
        " WHERE state = 'sending' AND channel = 'telegram'"
        " AND coalesce(json_array_length(reply, '$.replaces'), 0) = 0",
        # `day` is the UTC date; `tokens` are those of prompts and of what was written.
        """
        CREATE TABLE usage (
            channel TEXT NOT NULL,
            customer TEXT NOT NULL,
            day TEXT NOT NULL,
            calls INTEGER NOT NULL DEFAULT 0,
            tokens INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (channel, customer, day)
        ) STRICT, WITHOUT ROWID
        """,
        # Without it, erasing a turn reads the texts of all. An index on what FTS5 keeps its columns
        # in stays through its own work, a rebuild and VACUUM.
        "CREATE INDEX turn_search_by_turn ON turn_search_content (c1)",
        # A reviewer searches for a customer on any channel.
        "CREATE INDEX customers_by_external_id ON customers (external_id)",
        # Set once the search index holds no words of the erased texts any more.
        "ALTER TABLE erasures ADD COLUMN swept_at TEXT",
        "UPDATE erasures SET swept_at = erased_at",
        "CREATE INDEX erasures_unswept ON erasures (id)"
        " WHERE erased_at IS NOT NULL AND swept_at IS NULL",
    )


@migrations()
def m007_sources(db: Database) -> None:
    """The files that articles come from, as they were read: only what changed is read again."""
    _create(
        db,
        # `state` changes with the file, `reader` with the program that reads it. `problems` is a
        # JSON list: why the file, or parts of it, could not be taken in.
        """
        CREATE TABLE article_files (
            folder TEXT NOT NULL,
            path TEXT NOT NULL,
            state TEXT NOT NULL,
            reader TEXT NOT NULL,
            problems TEXT NOT NULL,
            PRIMARY KEY (folder, path)
        ) STRICT, WITHOUT ROWID
        """,
        # Every article that was read, also those that customers must not see, or not yet. What
        # they may be answered from is in `articles` and `passages`.
        """
        CREATE TABLE article_documents (
            folder TEXT NOT NULL,
            path TEXT NOT NULL,
            position INTEGER NOT NULL,
            id TEXT NOT NULL,
            digest TEXT NOT NULL,
            source TEXT NOT NULL,
            title TEXT NOT NULL,
            language TEXT NOT NULL,
            url TEXT NOT NULL,
            audience TEXT NOT NULL,
            valid_from TEXT,
            valid_until TEXT,
            questions TEXT NOT NULL,
            text TEXT NOT NULL,
            PRIMARY KEY (folder, path, position),
            FOREIGN KEY (folder, path) REFERENCES article_files (folder, path) ON DELETE CASCADE
        ) STRICT
        """,
        "CREATE INDEX article_documents_by_id ON article_documents (id)",
        # The file, or the page's address.
        "ALTER TABLE articles ADD COLUMN source TEXT NOT NULL DEFAULT ''",
        # Without it, taking an article out of the index reads the index from end to end.
        "CREATE INDEX passage_search_by_passage ON passage_search_content (c4)",
    )


@migrations()
def m008_actions(db: Database) -> None:
    """Calls of tools: what was asked of them, who confirmed it, and what came of it."""
    _create(
        db,
        # `id` is the call's idempotency key. `arguments` come from what the customer wrote, which
        # is masked; `result` is masked and cut, beside the size and the SHA-256 of the whole.
        # `asked_in` is the reply that asks for the customer's yes, `told_in` the one that tells
        # `outcome`. A call that was begun, and of which nothing is known, is `unknown`.
        """
        CREATE TABLE actions (
            id TEXT PRIMARY KEY,
            channel TEXT NOT NULL,
            address TEXT NOT NULL,
            customer TEXT NOT NULL,
            tool TEXT NOT NULL,
            arguments TEXT NOT NULL,
            summary TEXT NOT NULL,
            language TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN
                ('asked', 'declined', 'waiting', 'refused', 'running', 'done', 'failed',
                 'unknown')),
            outcome TEXT,
            error TEXT,
            result TEXT,
            result_size INTEGER,
            result_hash TEXT,
            asked_in TEXT REFERENCES turns (id),
            told_in TEXT REFERENCES turns (id),
            created_at TEXT NOT NULL,
            expires_at TEXT,
            confirmed_at TEXT,
            approved_by TEXT,
            approved_at TEXT,
            started_at TEXT,
            settled_at TEXT
        ) STRICT
        """,
        "CREATE INDEX actions_by_customer ON actions (channel, customer)",
        "CREATE INDEX actions_asked ON actions (asked_in) WHERE asked_in IS NOT NULL",
        "CREATE INDEX actions_told ON actions (told_in) WHERE told_in IS NOT NULL",
        "CREATE INDEX actions_open ON actions (state)"
        " WHERE state IN ('waiting', 'running', 'unknown')",
    )


@migrations()
def m009_approved(db: Database) -> None:
    """Answers that the team approved, and what it decided about questions without an answer."""
    _create(
        db,
        """
        CREATE TABLE approved_answers (
            id INTEGER PRIMARY KEY,
            created_at TEXT NOT NULL,
            retired_at TEXT
        ) STRICT
        """,
        # Only ever added to: the newest version is shown. `questions` is a JSON list; `article`
        # and `valid_until` (a day) are empty where there is none.
        """
        CREATE TABLE approved_versions (
            answer INTEGER NOT NULL REFERENCES approved_answers (id),
            number INTEGER NOT NULL,
            text TEXT NOT NULL,
            questions TEXT NOT NULL,
            language TEXT NOT NULL,
            article TEXT NOT NULL,
            valid_until TEXT NOT NULL,
            account TEXT NOT NULL,
            created_at TEXT NOT NULL,
            PRIMARY KEY (answer, number)
        ) STRICT, WITHOUT ROWID
        """,
        # `turn` is a customer's question that no article answered.
        """
        CREATE TABLE gap_marks (
            turn TEXT PRIMARY KEY REFERENCES turns (id),
            state TEXT NOT NULL CHECK (state IN ('done', 'ignored')),
            account TEXT NOT NULL,
            created_at TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX handoffs_by_time ON handoffs (created_at)",
        "CREATE INDEX feedback_by_verdict ON feedback (verdict, created_at)",
    )


@migrations()
def m010_ranking(db: Database) -> None:
    """Policies that were in force, since when and why, and which of two replies people prefer."""
    _create(
        db,
        # `trained` is the policy as a file has it (JSON), NULL for the fixed order.
        """
        CREATE TABLE policies (
            version TEXT PRIMARY KEY,
            trained TEXT,
            created_at TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        # Only ever added to: the newest is in force. `reason` says who changed it: an operator, or
        # the watch that took a policy back; `note` says it in a sentence.
        """
        CREATE TABLE policy_changes (
            id INTEGER PRIMARY KEY,
            policy TEXT NOT NULL REFERENCES policies (version),
            reason TEXT NOT NULL CHECK (reason IN ('start', 'promoted', 'rolled_back', 'watch')),
            note TEXT NOT NULL,
            created_at TEXT NOT NULL
        ) STRICT
        """,
        # `first` and `second` are the places of two candidates on the slate of a reply.
        """
        CREATE TABLE preferences (
            id INTEGER PRIMARY KEY,
            turn TEXT NOT NULL REFERENCES turns (id),
            first INTEGER NOT NULL,
            second INTEGER NOT NULL,
            verdict TEXT NOT NULL CHECK (verdict IN ('first', 'second', 'equal', 'neither')),
            account TEXT NOT NULL,
            created_at TEXT NOT NULL,
            UNIQUE (turn, first, second, account)
        ) STRICT
        """,
    )


@migrations()
def m011_corrections(db: Database) -> None:
    """What a reply should have said, and which of two replies stood first when people chose."""
    _create(
        db,
        # Only ever added to: the newest of a turn counts. `turn` is the reply.
        """
        CREATE TABLE corrections (
            id INTEGER PRIMARY KEY,
            turn TEXT NOT NULL REFERENCES turns (id),
            text TEXT NOT NULL,
            account TEXT NOT NULL,
            created_at TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX corrections_by_turn ON corrections (turn)",
        # NULL where they didn't stand side by side, so that it was known which had been shown.
        "ALTER TABLE preferences ADD COLUMN stood_first INTEGER",
        "CREATE INDEX preferences_by_account ON preferences (account)",
    )


@migrations()
def m012_intents(db: Database) -> None:
    """What customers want, as the classifier and the team say it; which hand-offs are urgent."""
    _create(
        db,
        # Only ever added to: the newest row of a name says what the team decided about it.
        # `becomes` is the name that a retired intent goes on under, NULL where there is none.
        """
        CREATE TABLE intents (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('confirmed', 'retired')),
            becomes TEXT,
            account TEXT NOT NULL,
            created_at TEXT NOT NULL
        ) STRICT
        """,
        # `turn` is a customer's. It has a person's label or those of the newest classifier that
        # read it, never both. `model` is that classifier's version, empty beside a person's label.
        """
        CREATE TABLE intent_labels (
            turn TEXT NOT NULL REFERENCES turns (id),
            intent TEXT NOT NULL,
            probability REAL NOT NULL,
            source TEXT NOT NULL CHECK (source IN ('model', 'person')),
            model TEXT NOT NULL,
            account TEXT NOT NULL,
            created_at TEXT NOT NULL,
            PRIMARY KEY (turn, intent)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX intent_labels_by_person ON intent_labels (turn) WHERE source = 'person'",
        "ALTER TABLE handoffs ADD COLUMN is_urgent INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX handoffs_urgent ON handoffs (conversation)"
        " WHERE is_urgent AND settled_at IS NULL",
    )


@migrations()
def m013_intent_groups(db: Database) -> None:
    """Messages that no intent fits, in groups, and what the team decided about these."""
    _create(
        db,
        # `terms` is a JSON list. `is_named` says that a person gave the name. Until somebody
        # decides about a group, `decided_at` is NULL, and the next run may change it.
        """
        CREATE TABLE intent_groups (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            terms TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('open', 'confirmed', 'dismissed')),
            is_named INTEGER NOT NULL,
            account TEXT NOT NULL,
            created_at TEXT NOT NULL,
            decided_at TEXT
        ) STRICT
        """,
        # `turn` is a customer's. `is_decided` says that a person left it or put it there, so that
        # no run takes it out; `place` orders the messages that show the group, NULL for all others;
        # `is_labelled` says that confirming the group gave its label.
        """
        CREATE TABLE intent_group_members (
            turn TEXT PRIMARY KEY REFERENCES turns (id),
            intent_group INTEGER NOT NULL REFERENCES intent_groups (id),
            is_decided INTEGER NOT NULL,
            place INTEGER,
            is_labelled INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX intent_group_members_by_group ON intent_group_members (intent_group)",
        # `messages` were grouped, so many `found` groups came of them.
        """
        CREATE TABLE intent_group_runs (
            id INTEGER PRIMARY KEY,
            messages INTEGER NOT NULL,
            found INTEGER NOT NULL,
            started_at TEXT NOT NULL,
            ended_at TEXT NOT NULL
        ) STRICT
        """,
    )


@migrations()
def m014_alerts(db: Database) -> None:
    """What rose beyond chance and was told; customers' turns by time, and by intent."""
    _create(
        db,
        # `of` says what rose: an intent, hand-offs, or complaints; `intent` is empty but for the
        # first. `number` is how many there were in so many `days`, `expected` how many from before.
        """
        CREATE TABLE alerts (
            id INTEGER PRIMARY KEY,
            day TEXT NOT NULL,
            of TEXT NOT NULL CHECK (of IN ('intent', 'handoffs', 'complaints')),
            intent TEXT NOT NULL,
            days INTEGER NOT NULL,
            number INTEGER NOT NULL,
            expected REAL NOT NULL,
            p_value REAL NOT NULL,
            created_at TEXT NOT NULL,
            UNIQUE (day, of, intent)
        ) STRICT
        """,
        # Without these, the messages of a period, or of an intent, are looked for among all.
        "CREATE INDEX turns_asked ON turns (created_at) WHERE role = 'customer'",
        "CREATE INDEX intent_labels_by_intent ON intent_labels (intent, turn)",
    )


def _create(db: Database, *statements: str) -> None:
    # Not executescript(): that commits, and a migration must be one transaction with its record.
    for statement in statements:
        db.execute(statement)
