-- Agents. A status follows from an agent's age, so none is stored.
CREATE TABLE agents (
    -- The order of creation, and of lists.
    place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    tenant text NOT NULL,
    kind text NOT NULL,
    task text NOT NULL,
    fate text NOT NULL,
    created_at timestamptz NOT NULL,
    -- The session it belongs to, and the instance that holds it; both or neither.
    session_id uuid,
    instance text,
    CHECK ((session_id IS NULL) = (instance IS NULL))
);

CREATE INDEX agents_by_tenant ON agents (tenant, place);
