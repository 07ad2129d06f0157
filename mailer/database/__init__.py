"""The database: engine, tables, migrations and backup."""
