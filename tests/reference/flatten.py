"""The tables of a run: the payloads of its leads, in ID order, flattened."""

from .columns import Columns
from .documented import TABLES
from .walk import Failed, walk


class Schema:
    """The columns of every table of a run."""

    def __init__(self, provider):
        tables = TABLES[provider]
        children = [table for table in tables if table != "leads"]
        self.tables = {table: Columns(columns, children if table == "leads" else ())
                       for table, columns in tables.items()}

    def add(self, rows_by_table):
        for table, rows in rows_by_table.items():
            self.tables[table].add(rows)


class Flattener:
    """Flattens payloads in ID order and keeps the rows.

    add() all leads first: the name of a column can depend on earlier leads, never on later ones,
    but which columns there are is known at the end only.
    """

    def __init__(self, provider, signed_urls="strip"):
        self.provider = provider
        self.signed_urls = signed_urls
        self.schema = Schema(provider)
        self._leads = []

    def add(self, lead_id, payload, agent_id=None):
        """Take one payload. Returns "exported" or ("failed", stage)."""
        try:
            rows = walk(self.provider, lead_id, payload, agent_id, self.signed_urls)
        except Failed as failed:
            return "failed", failed.stage
        self.schema.add(rows)
        self._leads.append((lead_id, rows))
        return "exported"

    def leads(self):
        """(lead_id, {table: rows keyed by column name or Source}) in ID order."""
        return iter(self._leads)

    def ids(self):
        return [lead_id for lead_id, _ in self._leads]

    def columns(self, table):
        """The final, ordered column names of a table."""
        return self.schema.tables[table].columns()

    def rows(self, table):
        """The rows of a table: {column: value}, absent columns absent."""
        names = self.schema.tables[table].names()
        return [{names.get(key, key): value for key, value in row.items()}
                for _, rows in self._leads for row in rows[table]]

    def tables(self):
        return {table: self.rows(table) for table in self.schema.tables}


class LazyFlattener(Flattener):
    """The same without keeping rows: payloads are flattened again on every pass."""

    def __init__(self, provider, signed_urls, source):
        """source() gives (lead_id, payload, agent_id) of every lead in ID order, each time."""
        super().__init__(provider, signed_urls)
        self._source = source
        self._exported = []
        self.failed = []
        for lead_id, payload, agent_id in source():
            try:
                self.schema.add(walk(provider, lead_id, payload, agent_id, signed_urls))
                self._exported.append(lead_id)
            except Failed as failed:
                self.failed.append((lead_id, failed.stage))

    def leads(self):
        for lead_id, payload, agent_id in self._source():
            try:
                yield lead_id, walk(self.provider, lead_id, payload, agent_id, self.signed_urls)
            except Failed:
                continue

    def ids(self):
        return self._exported

    def rows(self, table):
        names = self.schema.tables[table].names()
        return [{names.get(key, key): value for key, value in row.items()}
                for _, rows in self.leads() for row in rows[table]]
