"""What the pages of reports show: sections with charts and tables, made from the figures of campaigns.

They know nothing of how one gets in; the report on one's own machine and Studio's share them.
"""
