"""`sens campaign`: sends to lists that outlive the process, on a ledger."""
