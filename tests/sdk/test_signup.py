"""The authentication client of the official Python SDK signs people up on this service."""

import os
import unittest

from auth0.authentication import Database
from auth0.authentication.exceptions import Auth0Error

CONNECTION = "Username-Password-Authentication"
PASSWORD = "Difference-Engine-1843"


class SignUp(unittest.TestCase):
    def setUp(self):
        self.database = Database(os.environ["SIGNUP_DOMAIN"], "any")

    def sign_up(self, email, password=PASSWORD, **more):
        return self.database.signup(email, password, CONNECTION, given_name="Ada", **more)

    def test_a_person_signs_up_and_a_double_submit_is_one_sign_up(self):
        first = self.sign_up("python@example.com", user_metadata={})
        self.assertRegex(first["_id"], r"^[0-9a-f]{24}$")
        self.assertEqual(first["given_name"], "Ada")
        self.assertEqual(self.sign_up("python@example.com")["_id"], first["_id"])

    def test_a_taken_address_and_a_weak_password_have_different_codes(self):
        self.sign_up("python-taken@example.com")
        with self.assertRaises(Auth0Error) as taken:
            self.sign_up("python-taken@example.com", "Analytical-Engine-1837")
        self.assertEqual(taken.exception.error_code, "user_exists")
        with self.assertRaises(Auth0Error) as weak:
            self.sign_up("python-weak@example.com", "weak")
        self.assertEqual(weak.exception.error_code, "invalid_password")
        with self.assertRaises(Auth0Error) as common:
            self.sign_up("python-common@example.com", "Password1")
        self.assertEqual(common.exception.error_code, "invalid_password")

    def test_uniform_existence_returns_a_success_for_a_taken_address(self):
        self.database = Database(os.environ["SIGNUP_UNIFORM_DOMAIN"], "any")
        known = self.sign_up("python-uniform@example.com")
        taken = self.sign_up("python-uniform@example.com", "Analytical-Engine-1837")
        self.assertEqual(taken.keys(), known.keys())


if __name__ == "__main__":
    unittest.main()
