"""Tests of the official Python SDK against the emulator.

The URL, the application and the CA come from the environment that `run` sets up.
"""

import asyncio
import os
import unittest
from urllib.parse import urlsplit

from auth0.authentication import Database, GetToken
from auth0.authentication.token_verifier import AsymmetricSignatureVerifier
from auth0.management import AsyncManagementClient, ManagementClient
from auth0.management.core.api_error import ApiError

URL = os.environ["AUTH0_URL"]
DOMAIN = urlsplit(URL).netloc
CLIENT_ID = os.environ["AUTH0_CLIENT_ID"]
CLIENT_SECRET = os.environ["AUTH0_CLIENT_SECRET"]
CONNECTION = os.environ["AUTH0_CONNECTION"]
APPLICATION = {"domain": DOMAIN, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
PASSWORD = "Correct7Horse!"


class Management(unittest.TestCase):
    """The Management API."""

    def test_a_user_is_created_found_and_read(self):
        management = ManagementClient(**APPLICATION)
        created = management.users.create(
            connection=CONNECTION,
            email="python@example.com",
            password=PASSWORD,
            given_name="Ada",
            user_metadata={"plan": "free"},
        )
        self.assertRegex(created.user_id, r"^auth0\|[0-9a-f]{24}$")
        self.assertEqual(created.given_name, "Ada")
        found = management.users.list_users_by_email(email="python@example.com")
        self.assertEqual([user.user_id for user in found], [created.user_id])
        self.assertEqual(management.users.get(created.user_id).nickname, "python")

    def test_an_error_is_understood(self):
        management = ManagementClient(**APPLICATION)
        with self.assertRaises(ApiError) as error:
            management.users.create(
                connection=CONNECTION, email="python-weak@example.com", password="weak"
            )
        self.assertEqual(error.exception.status_code, 400)
        self.assertIn("PasswordStrengthError: Password is too weak", str(error.exception.body))

    def test_the_asynchronous_client_creates_a_user_too(self):
        async def create():
            management = AsyncManagementClient(**APPLICATION)
            return await management.users.create(
                connection=CONNECTION, email="python-async@example.com", password=PASSWORD
            )

        self.assertEqual(asyncio.run(create()).email, "python-async@example.com")


class Authentication(unittest.TestCase):
    """The Authentication API."""

    def test_a_token_is_signed_by_a_published_key(self):
        tokens = GetToken(DOMAIN, CLIENT_ID, client_secret=CLIENT_SECRET)
        response = tokens.client_credentials(f"{URL}/api/v2/")
        self.assertEqual(response["token_type"], "Bearer")
        verifier = AsymmetricSignatureVerifier(f"{URL}/.well-known/jwks.json")
        claims = verifier.verify_signature(response["access_token"])
        self.assertEqual(claims["iss"], f"{URL}/")
        self.assertEqual(claims["sub"], f"{CLIENT_ID}@clients")

    def test_a_user_signs_up(self):
        database = Database(DOMAIN, CLIENT_ID)
        response = database.signup("python-signup@example.com", PASSWORD, CONNECTION)
        self.assertRegex(response["_id"], r"^[0-9a-f]{24}$")


if __name__ == "__main__":
    unittest.main()
