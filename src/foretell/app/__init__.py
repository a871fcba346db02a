"""The pages of the service: knowledges, world models, runs and claims, for people with a browser.

Read on in this order: service, frame, session, then one file a page.
"""
