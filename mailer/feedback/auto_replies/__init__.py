"""Recognises automatic replies: out of office, receipts, challenges, robots of mailing lists."""
